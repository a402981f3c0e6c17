"""The suggested and mandatory FlowSchemas and PriorityLevelConfigurations: made, and kept up to date.

The mandatory ones always are as upstream has them. A suggested one is kept so unless its annotation
`apf.kubernetes.io/autoupdate-spec` is "false"; without a readable annotation, as long as nobody has changed its spec.
Whatever is deleted comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pybernetes.api.errors import StatusError, is_already_exists
from pybernetes.api.scheme import Resource
from pybernetes.api.tree import Tree
from pybernetes.apiserver.bootstrap.facts import bootstrap_objects
from pybernetes.apiserver.bootstrap.objects import complete
from pybernetes.apiserver.builtin import builtin
from pybernetes.apiserver.services import Services

GROUP: Final = "flowcontrol.apiserver.k8s.io"
PLURALS: Final = ("prioritylevelconfigurations", "flowschemas")
MANDATORY: Final = frozenset(("catch-all", "exempt"))
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "t": True, "T": True, "1": True, "false": False, "False": False, "FALSE": False, "f": False, "F": False, "0": False}  # fmt: skip


def wanted() -> Iterator[tuple[Resource, Tree]]:
    """Every object that is to be there, levels first."""
    for plural in PLURALS:
        for obj in bootstrap_objects()[plural]:
            yield builtin(GROUP, "v1", plural), obj


async def keep(services: Services, resource: Resource, obj: Tree) -> None:
    """Make the object, or bring it in line. Raises StatusError; safe to repeat."""
    item = services.registry.get(resource, obj["metadata"]["name"])
    if item is not None:
        changed = mend(item.tree, complete(resource, obj))
        if changed is not None:
            await services.registry.update(resource, changed)
        return
    try:
        await services.registry.create(resource, complete(resource, obj))
    except StatusError as error:
        if not is_already_exists(error):
            raise


def mend(present: Tree, wanted: Tree) -> Tree | None:
    """The object as it should be; None if it is."""
    metadata = present["metadata"]
    annotations = metadata.get("annotations") or {}
    says = _TRUTH.get(annotations.get(AUTO_UPDATE, ""))
    kept = metadata["name"] in MANDATORY or (metadata.get("generation") == 1 if says is None else says)
    changed = dict(present)
    if says is not kept:
        changed["metadata"] = metadata | {"annotations": annotations | {AUTO_UPDATE: "true" if kept else "false"}}
    if kept and (spec := _spec(present, wanted)) != present.get("spec"):
        changed["spec"] = spec
    return changed if changed != present else None


def _spec(present: Tree, wanted: Tree) -> Tree:
    """An administrator may give the exempt level seats to lend."""
    spec: Tree = wanted["spec"]
    own = present.get("spec") or {}
    if spec.get("type") == "Exempt" and own.get("exempt"):
        return spec | {"exempt": own["exempt"]}
    return spec
