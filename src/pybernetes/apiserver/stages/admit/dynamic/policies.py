"""Policies and bindings that a request meets, with their parameters; compiled policies are kept while they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from msgspec import Struct

from pybernetes.api.cel.admission import PolicyExpressions
from pybernetes.api.scheme import Resource, split_api_version
from pybernetes.api.selectors.labels import from_tree
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.evaluation import Evaluation
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions
from pybernetes.apiserver.stages.admit.dynamic.matching import Matching
from pybernetes.apiserver.stages.admit.dynamic.variables import namespace_object, variables_of
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.objects import Objects

GROUP: Final = "admissionregistration.k8s.io"

T = TypeVar("T")


class ConfigurationError(Exception):
    """A binding cannot be applied; the text says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"failed to configure binding: {cause}")


class Programs(Generic[T]):
    """What `compile` makes of a policy, once for each of its generations."""

    def __init__(self, compile_policy: Callable[[Tree], T]) -> None:
        self._compile = compile_policy
        self._known: dict[str, tuple[int, T]] = {}

    def of(self, policy: Tree) -> T:
        metadata = policy["metadata"]
        generation = metadata.get("generation", 0)
        known = self._known.get(metadata["uid"])
        if known is None or known[0] != generation:
            known = self._known[metadata["uid"]] = (generation, self._compile(policy["spec"]))
        return known[1]

    def keep(self, policies: list[Tree]) -> None:
        """Forget those that are gone."""
        if len(self._known) > len(policies):
            uids = {policy["metadata"]["uid"] for policy in policies}
            self._known = {uid: known for uid, known in self._known.items() if uid in uids}


class Binding(Struct, frozen=True):
    """A policy as a binding applies it to a request."""

    policy: Tree
    binding: Tree | None
    """None if the policy cannot be applied by any."""
    resource: Resource
    """By whose name the policy means the request."""
    error: str = ""
    """Why it cannot be applied."""

    @property
    def policy_name(self) -> str:
        return str(self.policy["metadata"]["name"])

    @property
    def name(self) -> str:
        return str(self.binding["metadata"]["name"]) if self.binding is not None else ""

    @property
    def spec(self) -> Tree:
        """The binding's."""
        return self.binding["spec"] if self.binding is not None else {}

    @property
    def fails(self) -> bool:
        """Whether what cannot be evaluated refuses the request."""
        return bool(self.policy["spec"].get("failurePolicy") != "Ignore")


class Policies:
    """All policies of one kind (`plural`), for the plugins that apply them."""

    def __init__(self, plural: str, objects: Objects, versions: Versions, authorizer: Authorizer) -> None:
        self._policies, self._bindings = plural, f"{plural.removesuffix('ies')}ybindings"
        self._objects = objects
        self._registry = versions.registry
        self._authorizer = authorizer
        self.matching = Matching(objects, versions)

    def all(self) -> list[Tree]:
        return list(self._objects.list(GROUP, self._policies))

    def bound(self, attributes: Attributes) -> Iterator[Binding]:
        """The bindings that are about the request, in the order of their policies' names."""
        if self.matching.is_exempt(attributes):
            return
        policies = sorted(self.all(), key=lambda policy: str(policy["metadata"]["name"]))
        for policy in policies:
            spec, name = policy["spec"], policy["metadata"]["name"]
            resource = self.matching.match(spec.get("matchConstraints") or {}, "resourceRules", attributes)
            bindings = self._objects.list(GROUP, self._bindings) if resource is not None else ()
            own = [binding for binding in bindings if binding["spec"].get("policyName") == name]
            if not own or resource is None:
                continue
            if spec.get("paramKind") and self._resource(spec["paramKind"]) is None:
                yield Binding(policy, None, resource, _unknown(spec["paramKind"]))
                continue
            for binding in sorted(own, key=lambda one: str(one["metadata"]["name"])):
                if self._is_about(binding, attributes):
                    yield Binding(policy, binding, resource)

    def _is_about(self, binding: Tree, attributes: Attributes) -> bool:
        criteria = binding["spec"].get("matchResources")
        if not criteria:
            return True
        # A binding narrows down: without rules it takes what its policy takes.
        given = criteria if criteria.get("resourceRules") else {**criteria, "resourceRules": [_EVERYTHING]}
        return self.matching.match(given, "resourceRules", attributes) is not None

    async def parameters(self, bound: Binding, attributes: Attributes) -> list[Tree | None]:
        """The objects that the policy is asked with, one after the other; [None] for one without parameters.

        Raises ConfigurationError, StatusError.
        """
        kind = bound.policy["spec"].get("paramKind")
        reference = bound.spec.get("paramRef")
        if not kind or not reference:
            return [None]
        resource = self._resource(kind)
        if resource is None:
            raise ConfigurationError(f"paramKind kind `{_shown(kind)}` not known")
        namespace = self._parameter_namespace(resource, reference, attributes)
        if reference.get("name"):
            item = await self._registry.read(resource, reference["name"], namespace)
            found = [item.tree] if item is not None else []
        else:
            selector = from_tree(reference.get("selector"))
            found = [
                item.tree
                for item in await self._registry.read_all(resource, namespace)
                if selector.matches(item.tree["metadata"].get("labels") or {})
            ]
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
        typed = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**typed, **tree} for tree in found]

    def _resource(self, kind: Tree) -> Resource | None:
        for resource in self._registry.resources():
            if resource.api_version == kind["apiVersion"] and resource.kind == kind["kind"]:
                return resource
        return None

    def _parameter_namespace(self, resource: Resource, reference: Tree, attributes: Attributes) -> str:
        if not resource.namespaced:
            if reference.get("namespace"):
                raise ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
            return ""
        namespace: str = reference.get("namespace") or attributes.namespace
        if not namespace:
            words = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            raise ConfigurationError(words)
        return namespace

    def evaluation(self, expressions: PolicyExpressions, parameter: Tree | None, face: Face) -> Evaluation:
        """The expressions of a policy with the values of a request."""
        values = variables_of(face, self._authorizer)
        values["namespaceObject"] = namespace_object(self.matching.namespace(face.attributes))
        values["params"] = parameter
        return Evaluation(values, expressions.variables)


_EVERYTHING: Final[Tree] = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}


def _shown(kind: Tree) -> str:
    group, version = split_api_version(kind["apiVersion"])
    return f"{group}/{version}, Kind={kind['kind']}"


def _unknown(kind: Tree) -> str:
    return f"failed to configure policy: failed to find resource referenced by paramKind: '{_shown(kind)}'"
