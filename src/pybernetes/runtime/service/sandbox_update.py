"""UpdatePodSandboxResources."""

from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.runtime.cgroups.group import Cgroup
from pybernetes.runtime.cgroups.limits import apply_limits
from pybernetes.runtime.oci.resources import build_resources
from pybernetes.runtime.service.core import Core


async def update_pod_sandbox_resources(core: Core, pod_sandbox_id: str, resources: t.LinuxContainerResources) -> None:
    """Set what `resources` names on the cgroup that holds all containers of the pod. Safe to repeat."""
    sandbox = core.table.sandbox(pod_sandbox_id)
    linux = sandbox.record.config.linux
    if linux is None or not linux.cgroup_parent:
        return
    cgroup = Cgroup(core.cgroup_parent(sandbox.record.config))
    try:
        await core.files.run(apply_limits, cgroup, build_resources(resources))
    except OSError as error:
        raise CRIError(f"failed to update resources: {error}") from error
