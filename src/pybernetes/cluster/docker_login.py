"""What the caller has given `docker login`: the docker configuration of whoever ran sudo, helpers included."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import msgspec

from pybernetes.cluster.kubeconfig import Owner, caller
from pybernetes.cri.types import AuthConfig
from pybernetes.runtime.images.registry.credentials import CredentialsError, from_docker_config
from pybernetes.wire.images.reference import DOCKER_HUB, Reference

_HELPER_SECONDS = 20
_HUB_SERVER = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"
"""A helper's user name for what is a refresh token."""


class _Helpers(msgspec.Struct, frozen=True, rename="camel"):
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


def auth_for(reference: Reference) -> AuthConfig | None:
    """The caller's credential for the registry of the name, if there is one. Raises CredentialsError."""
    owner = caller()
    path = config_path(owner)
    if (helper := _helper(path, reference.domain)) and (found := _ask(helper, reference.domain, owner)):
        return found
    credential = from_docker_config(path, reference.domain, reference.path)
    if credential is None:
        return None
    return AuthConfig(
        username=credential.username,
        password=credential.password,
        identity_token=credential.identity_token,
        registry_token=credential.registry_token,
    )


def config_path(owner: Owner) -> Path:
    directory = os.environ.get("DOCKER_CONFIG", "")
    return (Path(directory) if directory else owner.home / ".docker") / "config.json"


def _helper(path: Path, domain: str) -> str:
    """The name of the program that keeps the credential: the registry's own, else the one for all."""
    try:
        helpers = msgspec.json.decode(path.read_bytes(), type=_Helpers)
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.DecodeError) as error:
        raise CredentialsError(f"cannot read credentials of {path}: {error}") from error
    own = helpers.cred_helpers.get(domain) or (helpers.cred_helpers.get(_HUB_SERVER) if domain == DOCKER_HUB else "")
    return own or helpers.creds_store


def _ask(helper: str, domain: str, owner: Owner) -> AuthConfig | None:
    """The credential that `docker-credential-<helper>` has, run as the caller. None if it has none."""
    program = f"docker-credential-{helper}"
    other = os.getuid() != owner.uid
    try:
        done = subprocess.run(
            [program, "get"],
            input=_HUB_SERVER if domain == DOCKER_HUB else domain,
            env={**os.environ, "HOME": str(owner.home)},
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            user=owner.uid if other else None,
            group=owner.gid if other else None,
            extra_groups=[] if other else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialsError(f"{program}, which the docker configuration names, cannot be run: {error}") from error
    if done.returncode:
        said = done.stdout.strip() or done.stderr.strip()
        if "credentials not found" in said:
            return None
        raise CredentialsError(f"{program} failed: {said}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer.get("Username", "")), str(answer.get("Secret", ""))
    except (ValueError, AttributeError) as error:
        raise CredentialsError(f"{program} gave no credential: {error}") from error
    if username == _TOKEN_USER:
        return AuthConfig(identity_token=secret)
    return AuthConfig(username=username, password=secret)
