"""`docker login`: whether a registry takes a credential."""

from __future__ import annotations

from collections.abc import Collection

from pybernetes.cri.types import AuthConfig
from pybernetes.docker.errors import DockerError
from pybernetes.runtime.images.registry import challenge
from pybernetes.runtime.images.registry.auth import Question, authorization
from pybernetes.runtime.images.registry.credentials import CredentialsError, from_auth_config
from pybernetes.runtime.images.registry.errors import DeniedError, RegistryError
from pybernetes.runtime.images.registry.http import Http
from pybernetes.runtime.images.registry.options import RegistryOptions, upstream


async def check(host: str, auth: AuthConfig, insecure: Collection[str]) -> None:
    """Ask the registry for nothing but itself. Raises DockerError where it refuses, or cannot be asked."""
    url = upstream(host, RegistryOptions(insecure=frozenset(insecure))).url
    http = Http()
    try:
        credential = from_auth_config(auth)
        async with await http.send("GET", f"{url}/v2/") as answer:
            status, asked = answer.status, challenge.parse(answer.headers.getall("WWW-Authenticate", []))
        if status == 401:
            proof = await authorization(http, Question(url, "", credential), asked)
            async with await http.send("GET", f"{url}/v2/", headers={"Authorization": proof}) as answer:
                status = answer.status
        if status == 401:
            raise DeniedError
        if status != 200:
            raise DockerError(500, f"login attempt to {url}/v2/ failed with status: {answer.reason}")
    except DeniedError as error:
        said = f"Get {url}/v2/: unauthorized: authentication required"
        raise DockerError(401, said) from error
    except (RegistryError, CredentialsError) as error:
        raise DockerError(500, f"Get {url}/v2/: {error}") from error
    finally:
        await http.close()
