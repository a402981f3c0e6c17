"""StopPodSandbox."""

import msgspec

from pybernetes.aio.tasks import all_done
from pybernetes.cri import types as t
from pybernetes.cri.errors import NotFoundError
from pybernetes.runtime.service.container_stop import stop_container
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.sandbox_release import release
from pybernetes.runtime.state import Sandbox


async def stop_pod_sandbox(core: Core, pod_sandbox_id: str) -> None:
    """Kill its containers and release its network. One that is stopped or gone is success."""
    try:
        sandbox = core.table.sandbox(pod_sandbox_id)
    except NotFoundError:
        return
    async with sandbox.lock:
        await stop(core, sandbox)


async def stop(core: Core, sandbox: Sandbox) -> None:
    """The same, for who holds its lock."""
    sandbox.stopping = True
    await all_done(stop_container(core, container.id, 0) for container in core.table.containers_of(sandbox.id))
    await release(core, sandbox.record)
    if sandbox.record.ready:
        sandbox.record = msgspec.structs.replace(sandbox.record, ready=False)
        await core.files.run(core.records.save, sandbox.record)
        core.publish(sandbox.id, t.ContainerEventType.CONTAINER_STOPPED_EVENT, sandbox.id)
