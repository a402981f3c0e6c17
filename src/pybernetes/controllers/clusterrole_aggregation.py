"""The ClusterRole aggregator: roles with an aggregation rule hold the rules of all roles that it selects."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pybernetes.api.selectors import labels
from pybernetes.api.types import rbac_v1
from pybernetes.client.cache import Key
from pybernetes.controllers.context import Context, KeyedController


class ClusterRoleAggregationController(KeyedController):
    """Any role's change may concern every aggregated one."""

    name = "clusterrole-aggregation-controller"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.roles = context.informers.of(rbac_v1.ClusterRole)
        self.roles.subscribe(self._on_role)

    def _on_role(self, old: rbac_v1.ClusterRole | None, new: rbac_v1.ClusterRole | None) -> None:
        if old is not None and new is not None and (old.rules, old.metadata.labels) == (new.rules, new.metadata.labels):
            return
        for role in self.roles.list():
            if role.aggregation_rule is not None:
                self.enqueue(role)

    async def reconcile(self, key: Key) -> None:
        role = self.roles.get(key[1])
        if role is None or role.aggregation_rule is None:
            return
        rules = aggregated_rules(role, self.roles.list())
        if rules != role.rules:
            self.roles.assume(await self.client.update(msgspec.structs.replace(role, rules=rules)))


def aggregated_rules(role: rbac_v1.ClusterRole, others: Iterable[rbac_v1.ClusterRole]) -> list[rbac_v1.PolicyRule]:
    """The rules of the selected roles, by the roles' names, each rule once."""
    if role.aggregation_rule is None:
        return role.rules
    selectors = [labels.from_struct(found) for found in role.aggregation_rule.cluster_role_selectors]
    chosen = [
        other
        for other in others
        if other.metadata.name != role.metadata.name
        and any(selector.matches(other.metadata.labels) for selector in selectors)
    ]
    rules: list[rbac_v1.PolicyRule] = []
    for other in sorted(chosen, key=lambda found: found.metadata.name or ""):
        rules += [rule for rule in other.rules if rule not in rules]
    return rules
