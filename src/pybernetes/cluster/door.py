"""The API of a cluster for a command: one connection and blocking calls, with what the caller may use as credentials.

Root takes the profile's own; whoever started it through sudo has a context of the profile's name in their kubeconfig.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pybernetes.cluster import control, profile
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.kubeconfig import ADMIN_HEADERS
from pybernetes.cluster.owner import caller, user_paths
from pybernetes.cluster.preferences import command

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse

SECONDS = 10.0
DOCKER_SOCKET = "docker.sock"
"""What others than root may look for of a running cluster (cluster/docker.py)."""


class DoorError(ClusterError):
    """The API server does not answer, or refuses; `code` is the HTTP status, 0 if nobody answers."""

    def __init__(self, cause: str, next_step: str = "", code: int = 0) -> None:
        super().__init__(cause, next_step)
        self.code = code
        self.answers = code != 0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server of a profile is, and as whom to ask. PEM throughout.

    `socket` is the server's own, where only the cluster's owner can ask: TLS is four fifths of a short command's wait.
    """

    profile: str
    server: str
    authority: bytes
    certificate: bytes
    key: bytes
    socket: Path | None = None


def access(name: str) -> Access:
    """Raises DoorError if there is no way in for the caller."""
    own = credentials(name)
    if own is not None:
        return replace(_access(name, json.loads(own.read_text()), own), socket=api_socket(name))
    places = user_paths(caller())
    failed = DoorError(missing(places))
    for place in places:
        if place.exists():
            try:
                return _access(name, _yaml(place), place)
            except DoorError as error:
                failed = error
    raise absent(name, failed.problems[0].cause)


def missing(places: Sequence[Path]) -> str:
    """What is to be said if none of these kubeconfigs exists."""
    return "" if any(place.exists() for place in places) else f"there is no kubeconfig {', '.join(map(str, places))}"


def absent(name: str, cause: str) -> DoorError:
    """Nobody has a way in; `cause` says why the kubeconfig is none."""
    start, mend = (command(verb, name) for verb in ("start", "update-context"))
    if profile.is_roots(name):
        return DoorError(f"cluster {name!r} belongs to root, and {cause}", f"sudo {mend}")
    return DoorError(f"there is no cluster {name!r}: {cause}", f"sudo {start}, or if it is there: sudo {mend}")


def credentials(name: str) -> Path | None:
    """The administrator's kubeconfig of a cluster that is the caller's own."""
    own = profile.state_root() / profile.check_name(name) / "pki" / "admin.kubeconfig"
    return own if own.exists() else None


def api_socket(name: str) -> Path | None:
    """The API server's own socket, if it is there for the caller."""
    own = profile.run_root() / name / "apiserver.sock"
    return own if own.exists() else None


def _yaml(place: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(place.read_text())
    except OSError as error:
        raise DoorError(f"{place} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise DoorError(f"{place} cannot be read: {error}") from error


def _access(name: str, config: Any, place: Path) -> Access:
    try:
        context = _named(config["contexts"], name)["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        parts = (cluster["certificate-authority-data"], user["client-certificate-data"], user["client-key-data"])
        authority, certificate, key = (base64.b64decode(part) for part in parts)
        return Access(name, cluster["server"], authority, certificate, key)
    except (KeyError, TypeError, ValueError) as error:
        raise DoorError(f"{place} has no context {name!r} that could be used") from error


def _named(items: Any, name: str) -> Any:
    found = [item for item in items if item["name"] == name]
    if not found:
        raise KeyError(name)
    return found[0]


class Door:
    """Opened by its first question, which loads what it needs of the library. Objects are JSON trees."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        """For who goes on without it; a command just ends. A further question opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path: str, **query: str) -> Any:
        """An object, a list, or whatever the path answers with. Raises DoorError."""
        return json.loads(self._ask(path, query).read())

    def text(self, path: str) -> str:
        """What a path answers with that is no JSON, as /readyz. Raises DoorError."""
        return self._ask(path, {}).read().decode(errors="replace")

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        found: list[dict[str, Any]] = self.get(path, **query)["items"]
        return found

    def watch(self, path: str, seconds: float, **query: str) -> Iterator[dict[str, Any]]:
        """Events, the present objects first as ADDED, until `seconds` are over. A slow server is not waited for."""
        query |= {"watch": "true", "timeoutSeconds": str(max(1, int(seconds)))}
        deadline = time.monotonic() + seconds
        answer = self._ask(path, query)
        connection = self._connection
        assert connection is not None
        try:
            while (left := deadline - time.monotonic()) > 0:
                if connection.sock is not None:
                    connection.sock.settimeout(left)
                line = answer.readline()
                if not line:
                    return
                yield json.loads(line)
        except TimeoutError:
            return
        finally:
            connection.close()
            self._connection = None

    def _ask(self, path: str, query: dict[str, str]) -> HTTPResponse:
        from http.client import HTTPException
        from urllib.parse import urlencode

        target = f"{path}?{urlencode(query)}" if query else path
        try:
            connection = self._connection or self._connect()
            identity = ADMIN_HEADERS if self.access.socket else {}
            connection.request("GET", target, headers={"Accept": "application/json", **identity})
            answer = connection.getresponse()
        except (OSError, HTTPException) as error:
            self._connection = None
            raise self._unreachable(error) from error
        if answer.status >= 400:
            body = answer.read().decode(errors="replace")
            raise DoorError(_message(body), f"kubectl get --raw '{path}'", answer.status)
        return answer

    def _connect(self) -> HTTPConnection:
        if self.access.socket is not None:
            from pybernetes.cluster.local_http import LocalConnection

            self._connection = LocalConnection(self.access.socket, timeout=SECONDS)
            return self._connection
        from http.client import HTTPSConnection
        from urllib.parse import urlsplit

        where = urlsplit(self.access.server)
        self._connection = HTTPSConnection(
            where.hostname or "", where.port or 443, context=_context(self.access), timeout=SECONDS
        )
        return self._connection

    def _unreachable(self, error: Exception) -> DoorError:
        name = self.access.profile
        if credentials(name) is not None and control.state(found := profile.load(name)) != "Running":
            [problem] = control.NotRunningError(found).problems
            return DoorError(problem.cause, problem.next_step)
        if is_stopped_roots(name):
            return DoorError(*stopped_roots(name))
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return DoorError(
            f"the API server of cluster {name!r} does not answer at {self.access.server} ({said})",
            f"{command('status', name)}; sudo {command('start', name)}",
        )


def is_stopped_roots(name: str) -> bool:
    """Whether it is known, to others than root, that a cluster of root's does not run; no more is seen of it."""
    if not profile.NAME.fullmatch(name) or not profile.is_roots(name):
        return False
    try:
        os.stat(profile.RUN / name / DOCKER_SOCKET)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def stopped_roots(name: str) -> tuple[str, str]:
    return f"cluster {name!r} is stopped", f"sudo {command('start', name)}"


def open_door(name: str) -> Door:
    """For the profile of this name. Raises DoorError."""
    return Door(access(name))


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip()


def _context(access: Access) -> ssl.SSLContext:
    """OpenSSL takes a client's certificate from files only: this one is in memory."""
    from tempfile import NamedTemporaryFile

    from pybernetes.aio.trust import client_context

    context = client_context(access.authority.decode())
    with NamedTemporaryFile() as file:  # 0600
        file.write(access.certificate.rstrip() + b"\n" + access.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context
