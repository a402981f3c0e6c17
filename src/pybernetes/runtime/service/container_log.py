"""ReopenContainerLog."""

from pybernetes.cri.errors import CRIError
from pybernetes.runtime.service.core import Core


async def reopen_container_log(core: Core, container_id: str) -> None:
    """After the kubelet has renamed the log. Raises CRIError if the container does not run."""
    container = core.table.container(container_id)
    if container.control is None:
        raise CRIError(f"container {container.id!r} is not running")
    await container.control.reopen_log()
