"""NamespaceLifecycle: nothing is made in a namespace that is not there or is ending."""

from pybernetes.api import errors
from pybernetes.api.scheme import Resource
from pybernetes.apiserver.admission import Attributes, Operation
from pybernetes.apiserver.stages.admit.plugin import Plugin, refuse
from pybernetes.apiserver.stages.objects import Objects

IMMORTAL = frozenset(("default", "kube-system", "kube-public"))


class NamespaceLifecycle(Plugin):
    name = "NamespaceLifecycle"
    operations = frozenset(("CREATE", "UPDATE", "DELETE"))
    subresources = frozenset()

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.group_resource == "namespaces":
            if attributes.operation == "DELETE" and attributes.name in IMMORTAL:
                raise refuse(attributes, "this namespace may not be deleted")
            return
        asks_only = attributes.resource.plural == "localsubjectaccessreviews"
        if not attributes.namespace or attributes.operation == "DELETE" or asks_only:
            return
        namespace = self._objects.get("", "namespaces", "", attributes.namespace)
        if namespace is None:
            raise errors.not_found("", "namespaces", attributes.namespace)
        if attributes.operation == "CREATE" and _is_ending(namespace):
            raise _terminating(attributes)

    def validates(self, operation: Operation, resource: Resource) -> bool:
        return operation == "DELETE"  # which has no mutating phase; the refusal is the same one

    async def validate(self, attributes: Attributes) -> None:
        await self.mutate(attributes)


def _is_ending(namespace: dict[str, object]) -> bool:
    status = namespace.get("status")
    return isinstance(status, dict) and status.get("phase") == "Terminating"


def _terminating(attributes: Attributes) -> errors.StatusError:
    namespace = attributes.namespace
    error = refuse(attributes, f"unable to create new content in namespace {namespace} because it is being terminated")
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = (error.details or {}) | {"causes": [cause]}
    return error
