"""What registries have of an image."""

from __future__ import annotations

from pathlib import Path

from pybernetes.explain.snapshot import Tags
from pybernetes.runtime.images.registry.client import Access, Repository
from pybernetes.runtime.images.registry.credentials import Credential, CredentialsError, from_docker_config
from pybernetes.runtime.images.registry.errors import RegistryError, UnknownImageError
from pybernetes.runtime.images.registry.http import Http
from pybernetes.runtime.images.registry.options import RegistryOptions, endpoints
from pybernetes.wire.images.reference import Reference

CONNECT_SECONDS = 1.0
DOCKER_CONFIG = Path(".docker/config.json")


async def tags_of(reference: Reference, options: RegistryOptions) -> Tags | None:
    """The repository's tags, of its mirrors and of itself; None if nobody answered."""
    http = Http(options.ca_file)
    answered, found = False, set[str]()
    try:
        for endpoint in endpoints(reference.domain, options):
            credential = None if endpoint.mirror else _own_credential(reference)
            access = Access(endpoint, reference.path, credential, connect_seconds=CONNECT_SECONDS)
            try:
                found.update(await Repository(http, access).tags())
                answered = True
            except UnknownImageError:
                answered = True
            except RegistryError:
                continue
            if found:
                break
    finally:
        await http.close()
    return Tags(bool(found), tuple(sorted(found))) if answered else None


def _own_credential(reference: Reference) -> Credential | None:
    """What the user's docker client is logged in with."""
    try:
        return from_docker_config(Path.home() / DOCKER_CONFIG, reference.domain, reference.repository)
    except (CredentialsError, OSError):
        return None
