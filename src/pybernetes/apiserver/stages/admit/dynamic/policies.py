"""Policies and bindings that a request meets, with their parameters; compiled policies are kept while they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Generic, TypeVar

from msgspec import Struct

from pybernetes.api.cel.admission import CALL_LIMIT, Expression, PolicyExpressions
from pybernetes.api.cel.errors import EvaluationError
from pybernetes.api.cel.frame import Lazy, LazyMap
from pybernetes.api.scheme import Resource
from pybernetes.api.selectors.labels import from_tree
from pybernetes.api.tree import Tree
from pybernetes.apiserver.admission import Attributes
from pybernetes.apiserver.stages.admit.dynamic.faces import Face, Versions
from pybernetes.apiserver.stages.admit.dynamic.matching import Matching
from pybernetes.apiserver.stages.admit.dynamic.variables import namespace_object, variables_of
from pybernetes.apiserver.stages.authorize.attributes import Authorizer
from pybernetes.apiserver.stages.objects import Objects

GROUP: Final = "admissionregistration.k8s.io"
REQUEST_LIMIT: Final = 10_000_000
"""What all expressions of one policy may cost for one request."""

T = TypeVar("T")


class ConfigurationError(Exception):
    """A policy or binding cannot be applied; the text says why."""


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
    binding: Tree
    resource: Resource
    """By whose name the policy means the request."""

    @property
    def policy_name(self) -> str:
        return str(self.policy["metadata"]["name"])

    @property
    def name(self) -> str:
        return str(self.binding["metadata"]["name"])

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
            constraints = policy["spec"].get("matchConstraints") or {}
            resource = self.matching.match(constraints, "resourceRules", attributes)
            if resource is None:
                continue
            for binding in self._objects.list(GROUP, self._bindings):
                if binding["spec"].get("policyName") == policy["metadata"]["name"] and self._is_about(
                    binding, attributes
                ):
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
        reference = bound.binding["spec"].get("paramRef")
        if not kind or not reference:
            return [None]
        resource = self._resource(kind)
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
        if not found and reference.get("parameterNotFoundAction") != "Allow":
            cause = "no params found for policy binding with `Deny` parameterNotFoundAction"
            raise ConfigurationError(f"failed to configure binding: {cause}")
        typed = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**typed, **tree} for tree in found]

    def _resource(self, kind: Tree) -> Resource:
        for resource in self._registry.resources():
            if resource.api_version == kind["apiVersion"] and resource.kind == kind["kind"]:
                return resource
        shown = f"{kind['apiVersion']}, Kind={kind['kind']}"
        raise ConfigurationError(
            f"failed to configure policy: failed to find resource referenced by paramKind: '{shown}'"
        )

    def _parameter_namespace(self, resource: Resource, reference: Tree, attributes: Attributes) -> str:
        if not resource.namespaced:
            if reference.get("namespace"):
                raise ConfigurationError(
                    "failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
                )
            return ""
        namespace: str = reference.get("namespace") or attributes.namespace
        if not namespace:
            raise ConfigurationError(
                "failed to configure binding: cannot use namespaced paramRef in policy binding that matches "
                "cluster-scoped resources"
            )
        return namespace

    def evaluation(self, expressions: PolicyExpressions, parameter: Tree | None, face: Face) -> Evaluation:
        """The expressions of a policy with the values of a request."""
        values = variables_of(face, self._authorizer)
        values["namespaceObject"] = namespace_object(self.matching.namespace(face.attributes))
        values["params"] = parameter
        return Evaluation(expressions, values)


_EVERYTHING: Final[Tree] = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}


class Evaluation:
    """Evaluates with one request's values; variables are worked out once, when they are first named."""

    def __init__(self, expressions: PolicyExpressions, values: dict[str, object]) -> None:
        self._left = REQUEST_LIMIT
        self._values = values
        self._conditions = expressions.conditions
        variables = LazyMap()
        for name, expression in expressions.variables.items():
            variables[name] = Lazy(partial(self.value, expression))
        values["variables"] = variables

    def value(self, expression: Expression) -> object:
        """Raises EvaluationError, also for an expression that could not be compiled."""
        if expression.program is None:
            raise EvaluationError(expression.error)
        value, left = expression.program.run(self._values, min(CALL_LIMIT, self._left))
        self._left -= min(CALL_LIMIT, self._left) - left
        return value

    def see(self, new: Tree | None) -> None:
        """From now on `object` is this one."""
        self._values["object"] = new

    def is_meant(self) -> bool:
        """Whether all match conditions hold: one that does not decides, whatever is wrong with others.

        Raises EvaluationError.
        """
        error: EvaluationError | None = None
        for expression in self._conditions.values():
            try:
                if self.value(expression) is not True:
                    return False
            except EvaluationError as found:
                error = error or EvaluationError(f"expression '{expression.source}' resulted in error: {found}")
        if error is not None:
            raise error
        return True
