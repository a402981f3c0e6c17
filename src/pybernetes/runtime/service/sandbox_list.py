"""ListPodSandbox and PodSandboxStatus."""

from pybernetes.cri import types as t
from pybernetes.runtime.service.core import Core
from pybernetes.runtime.service.selection import matches
from pybernetes.runtime.service.statuses import sandbox_status
from pybernetes.runtime.state import Sandbox


def pod_sandbox_status(core: Core, pod_sandbox_id: str) -> t.PodSandboxStatus:
    return sandbox_status(core.table.sandbox(pod_sandbox_id))


def list_pod_sandbox(core: Core, filter: t.PodSandboxFilter | None) -> list[t.PodSandbox]:
    wanted = filter or t.PodSandboxFilter()
    items = (_item(sandbox) for sandbox in core.table.sandboxes.values())
    return [
        item
        for item in items
        if item.id.startswith(wanted.id)
        and (wanted.state is None or item.state == wanted.state.state)
        and matches(wanted.label_selector, item.labels)
    ]


def _item(sandbox: Sandbox) -> t.PodSandbox:
    status = sandbox_status(sandbox)
    return t.PodSandbox(
        id=status.id,
        metadata=status.metadata,
        state=status.state,
        created_at=status.created_at,
        labels=status.labels,
        annotations=status.annotations,
        runtime_handler=status.runtime_handler,
    )
