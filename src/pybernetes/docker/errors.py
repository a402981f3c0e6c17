"""Refusals in docker's words, by which clients and people know them."""

from __future__ import annotations

from pybernetes.cri.door import ImageInUseError, short
from pybernetes.cri.errors import CRIError, ImageNotFoundError, InvalidError, NotFoundError, UnavailableError
from pybernetes.cri.types import ContainerState


class DockerError(Exception):
    """An answer that is no success: its status, and the message that the client shows."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def from_cri(error: CRIError) -> DockerError:
    """What the runtime refuses."""
    if isinstance(error, ImageNotFoundError) and "failed to" not in str(error):
        name = str(error).removeprefix('image "').removesuffix('": not found')
        return DockerError(404, f"No such image: {name}")
    if isinstance(error, NotFoundError):
        return DockerError(404, str(error))
    if isinstance(error, InvalidError):
        said = str(error)
        return DockerError(400, said.partition(": ")[2] if said.startswith("couldn't parse image name") else said)
    if isinstance(error, UnavailableError):
        return DockerError(503, f"the cluster's runtime does not answer: {error}")
    return DockerError(500, str(error))


def from_in_use(error: ImageInUseError) -> DockerError:
    """`docker rmi` of what is needed."""
    record, container = error.record, error.container
    by_name = not record.id.removeprefix("sha256:").startswith(error.asked.removeprefix("sha256:"))
    if container is None:
        said = f"conflict: unable to delete {short(record.id)} (must be forced) - "
        return DockerError(409, said + "image is referenced in multiple repositories")
    if by_name:
        said = f'conflict: unable to remove repository reference "{error.asked}" (must force) - '
        return DockerError(
            409, said + f"container {container.id[:12]} is using its referenced image {short(record.id)}"
        )
    running = container.state == ContainerState.CONTAINER_RUNNING
    said = f"conflict: unable to delete {short(record.id)} (must be forced) - image is being used by "
    return DockerError(409, said + f"{'running' if running else 'stopped'} container {container.id[:12]}")
