"""Roles and bindings: nobody gives what they do not have."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.errors import StatusError
from pybernetes.api.tree import Tree
from pybernetes.api.types.rbac_v1 import PolicyRule
from pybernetes.apiserver.context import RequestContext
from pybernetes.apiserver.resources.kind import KindStrategy
from pybernetes.apiserver.stages.authorize.objects import role_ref_of, rules_of


class RoleStrategy(KindStrategy):
    """Roles and ClusterRoles."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        self._check(ctx, new, None)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        self._check(ctx, new, old)

    def _check(self, ctx: RequestContext, new: Tree, old: Tree | None) -> None:
        # What changes no rule gives nothing away: labels, and finalizers that the garbage collector takes.
        same = old is not None and all(old.get(key) == new.get(key) for key in ("rules", "aggregationRule"))
        if same:
            return
        rules = rules_of(new)
        if new.get("aggregationRule"):
            everything = PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"])
            rules += [everything, PolicyRule(verbs=["*"], non_resource_urls=["*"])]
        metadata = new["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        resource = self.resource.plural
        # Whether they may `escalate` is asked of the name in the URL: a creation has none.
        cause = ctx.services.security.escalation.refuse_role(ctx.user, resource, namespace, ctx.info.name, rules)
        if cause:
            raise errors.forbidden(self.resource.group, resource, name, cause)


class BindingStrategy(KindStrategy):
    """RoleBindings and ClusterRoleBindings; the role that one binds never changes."""

    def prepare_for_create(self, ctx: RequestContext, new: Tree) -> None:
        self._check(ctx, new)

    def prepare_for_update(self, ctx: RequestContext, new: Tree, old: Tree) -> None:
        if any(old.get(key) != new.get(key) for key in ("roleRef", "subjects")):
            self._check(ctx, new)

    def _check(self, ctx: RequestContext, new: Tree) -> None:
        metadata, role = new["metadata"], role_ref_of(new)
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        cause = ctx.services.security.escalation.refuse_binding(ctx.user, namespace, role)
        if cause is None:
            raise self._no_role(role.name)
        if cause:
            raise errors.forbidden(self.resource.group, self.resource.plural, name, cause)

    def _no_role(self, name: str) -> StatusError:
        # Upstream names the binding's resource here, not the role's.
        return errors.not_found(self.resource.group, self.resource.plural, name)
