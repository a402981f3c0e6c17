"""Everything that policies depend on, and what a change of it changes. Pure."""

from __future__ import annotations

import itertools

from pybernetes.api.types import networking_v1 as networking
from pybernetes.proxy.backends.nftables.pieces import Pieces
from pybernetes.proxy.backends.nftables.policies import group_pieces, pod_pieces, policy_pieces
from pybernetes.proxy.policies.members import Member
from pybernetes.proxy.policies.policy import EGRESS, INGRESS, Policy, Resolved

Group = tuple[str, tuple[int, ...]]
"""A direction, and the policies that select a pod in it."""


class World:
    """Takes changes one by one, and says what of the table they change together."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._policies: dict[str, Policy] = {}
        self._resolved: dict[str, Resolved] = {}
        self._numbers: dict[str, int] = {}
        self._groups: dict[Group, int] = {}
        self._next = itertools.count(1)
        self._dirty: set[str] = set()
        self._given: dict[str, Pieces] = {}

    def put_policy(self, key: str, policy: networking.NetworkPolicy | None) -> None:
        """None for one that is gone."""
        if policy is None:
            self._policies.pop(key, None)
        else:
            self._policies[key] = Policy(policy)
        self._dirty.add(key)

    def put_member(self, key: str, member: Member | None) -> bool:
        """None for a pod that is gone, or none of policies' business. Says whether a policy depends on it."""
        old = self._members.get(key)
        if old == member:
            return False
        if member is None:
            self._members.pop(key, None)
        else:
            self._members[key] = member
        both = [one for one in (old, member) if one is not None]
        concerned = {
            name
            for name, policy in self._policies.items()
            if any(policy.concerns(one, self._namespaces) for one in both)
        }
        self._dirty |= concerned
        return bool(concerned)

    def put_namespace(self, name: str, labels: dict[str, str] | None) -> bool:
        """None for one that is gone. Says whether anything changed."""
        if self._namespaces.get(name) == labels:
            return False
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = labels
        self._dirty |= self._policies.keys()
        return True

    def changes(self) -> dict[str, Pieces | None]:
        """Pieces by owner that are not as they were at the last call; None for those that are gone."""
        if not self._dirty:
            return {}
        for key in self._dirty:
            policy = self._policies.get(key)
            if policy is None:
                self._resolved.pop(key, None)
            else:
                self._resolved[key] = policy.resolve(self._members.values(), self._namespaces)
        wanted = {f"policy/{key}": self._policy_pieces(key) for key in self._dirty if self._is_needed(key)}
        wanted |= {name: pieces for name, pieces in self._given.items() if self._is_kept(name)}
        wanted |= self._selected_pieces()
        self._dirty.clear()
        changed: dict[str, Pieces | None] = {
            name: wanted.get(name)
            for name in {**self._given, **wanted}
            if wanted.get(name) is not self._given.get(name) and wanted.get(name) != self._given.get(name)
        }
        self._given = wanted
        return changed

    def _is_needed(self, key: str) -> bool:
        """Other nodes' pods are other nodes' business."""
        return key in self._resolved and bool(self._resolved[key].selected)

    def _is_kept(self, name: str) -> bool:
        """Of a policy that nothing concerned."""
        kind, _, key = name.partition("/")
        return kind == "policy" and key in self._resolved and key not in self._dirty

    def _policy_pieces(self, key: str) -> Pieces:
        return policy_pieces(self._number(key), self._resolved[key])

    def _number(self, key: str) -> int:
        return self._numbers.setdefault(key, next(self._next))

    def _selected_pieces(self) -> dict[str, Pieces]:
        """The pods of this node that policies select, and the chains of those that share the same ones."""
        groups: dict[str, dict[str, list[int]]] = {}
        for key, resolved in self._resolved.items():
            for member in resolved.selected:
                for direction in resolved.allowed:
                    groups.setdefault(member, {}).setdefault(direction, []).append(self._number(key))
        made: dict[str, Pieces] = {}
        used: dict[Group, int] = {}
        for member, directions in groups.items():
            numbers: dict[str, int] = {}
            for direction in (EGRESS, INGRESS):
                if policies := directions.get(direction):
                    group = (direction, tuple(sorted(policies)))
                    numbers[direction] = used[group] = self._groups.setdefault(group, next(self._next))
            made[f"pod/{member}"] = pod_pieces(self._members[member], numbers)
        for (direction, policies_of), number in used.items():
            made[f"group/{number}"] = group_pieces(direction, number, policies_of)
        self._groups = used
        self._numbers = {key: number for key, number in self._numbers.items() if key in self._resolved}
        return made
