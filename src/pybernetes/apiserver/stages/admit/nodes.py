"""TaintNodesByCondition and DefaultTolerationSeconds: no pod lands on a new node too early, or leaves one too soon."""

from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.plugin import Plugin

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
TOLERATED_SECONDS = 300


class TaintNodesByCondition(Plugin):
    """A new node is not ready until its kubelet says so."""

    name = "TaintNodesByCondition"
    operations = frozenset(("CREATE",))
    resources = frozenset(("nodes",))

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        spec = attributes.object.setdefault("spec", {})
        taint = {"key": NOT_READY, "effect": "NoSchedule"}
        taints: list[Tree] = spec.get("taints") or []
        if all((other.get("key"), other.get("effect")) != (NOT_READY, "NoSchedule") for other in taints):
            spec["taints"] = [*taints, taint]


class DefaultTolerationSeconds(Plugin):
    """A pod stays on a node that is lost for five minutes, unless it says otherwise."""

    name = "DefaultTolerationSeconds"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("pods",))

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.object is None:
            return
        spec = attributes.object["spec"]
        tolerations: list[Tree] = spec.get("tolerations") or []
        added = [_toleration(key) for key in (NOT_READY, UNREACHABLE) if not _tolerates(tolerations, key)]
        if added:
            spec["tolerations"] = [*tolerations, *added]


def _tolerates(tolerations: list[Tree], key: str) -> bool:
    return any(
        toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")
        for toleration in tolerations
    )


def _toleration(key: str) -> Tree:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATED_SECONDS}
