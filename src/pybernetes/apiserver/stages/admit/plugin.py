"""What a plugin is, and all of them as one `Admission`."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.metrics import AdmissionMetrics, Kind
from pybernetes.apiserver.stages.admit.step import Hook, Step


class Plugin:
    """One plugin: what it wants to see, by three lists of which an empty one means all, and its two hooks.

    A hook that is not overridden is never called. Both raise StatusError to refuse.
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[Operation]] = frozenset()
    resources: ClassVar[frozenset[str]] = frozenset()
    """As messages name them: "pods", "ingresses.networking.k8s.io"."""
    subresources: ClassVar[frozenset[str]] = frozenset(("",))
    is_idle = False
    """Whether nothing is to be done for now, whatever is written."""
    on_turn: Callable[[], None] = staticmethod(lambda: None)
    """To be called when `is_idle` has turned."""

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        return (
            (not self.operations or operation in self.operations)
            and (not self.resources or resource.group_resource in self.resources)
            and (not self.subresources or subresource in self.subresources)
        )

    def validates(self, operation: Operation, resource: Resource) -> bool:
        """Whether the second hook has anything to say of writes that `handles` takes."""
        return True

    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.object` in place."""

    async def validate(self, attributes: Attributes) -> None:
        """See the object as it will be stored."""


class _Hooks(Struct, frozen=True):
    mutating: Step
    validating: Step


class Plugins:
    """Plugins in order; who sees which writes is worked out once for each kind of write."""

    def __init__(self, plugins: Sequence[Plugin], metrics: AdmissionMetrics | None = None) -> None:
        self._plugins = plugins
        self._metrics = metrics or AdmissionMetrics()
        self._hooks: dict[tuple[Operation, str, str], _Hooks] = {}
        for plugin in plugins:
            plugin.on_turn = self._hooks.clear

    def handles(self, operation: Operation, resource: Resource, subresource: str) -> bool:
        hooks = self._of(operation, resource, subresource)
        return bool(hooks.mutating or hooks.validating)

    async def mutate(self, attributes: Attributes) -> None:
        step = self._of(attributes.operation, attributes.resource, attributes.subresource).mutating
        await step.run(attributes)
        if attributes.rounds is not None and attributes.rounds.wanted:
            attributes.rounds.is_second = True
            await step.run(attributes)

    async def validate(self, attributes: Attributes) -> None:
        await self._of(attributes.operation, attributes.resource, attributes.subresource).validating.run(attributes)

    def _of(self, operation: Operation, resource: Resource, subresource: str) -> _Hooks:
        key = (operation, resource.group_resource, subresource)
        found = self._hooks.get(key)
        if found is None:
            interested = [
                plugin
                for plugin in self._plugins
                if not plugin.is_idle and plugin.handles(operation, resource, subresource)
            ]
            found = self._hooks[key] = _Hooks(
                self._step(
                    operation,
                    "admit",
                    [(one.name, one.mutate) for one in interested if type(one).mutate is not Plugin.mutate],
                ),
                self._step(
                    operation,
                    "validate",
                    [
                        (one.name, one.validate)
                        for one in interested
                        if type(one).validate is not Plugin.validate and one.validates(operation, resource)
                    ],
                ),
            )
        return found

    def _step(self, operation: Operation, kind: Kind, hooks: Sequence[tuple[str, Hook]]) -> Step:
        return Step(operation, kind, hooks, self._metrics)


def object_name(attributes: Attributes) -> str:
    """The object's name as refusals show it: while it has none yet, what its name is made of."""
    metadata = (attributes.object or {}).get("metadata") or {}
    return attributes.name or metadata.get("name") or metadata.get("generateName") or "Unknown"


def refuse(attributes: Attributes, cause: str) -> StatusError:
    """The 403 by which a plugin refuses a write."""
    resource = attributes.resource
    return errors.forbidden(resource.group, resource.plural, object_name(attributes), cause)
