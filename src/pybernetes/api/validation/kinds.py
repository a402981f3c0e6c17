"""What a kind's file offers to `validate`, and the types that its functions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from pybernetes.api import names
from pybernetes.api.field import FieldError, Path
from pybernetes.api.tree import Tree

Errors: TypeAlias = Iterator[FieldError]

Create: TypeAlias = Callable[[Tree], Errors]
Update: TypeAlias = Callable[[Tree, Tree], Errors]
"""Takes the new object, then the old one."""


def nothing(_: Tree) -> Errors:
    return iter(())


class Rules(Struct, frozen=True):
    """The rules of one kind. Metadata is checked by `validate` itself, with the kind's `name` format.

    `update` says what a change may not touch; the new object has to pass `create` as well, unless `update_is_whole`.
    Objects of `nameless` kinds are questions that are answered and never stored.
    `subresources` are the rules for writes through them, in the place of `update`.
    `whole_looks` and `update_looks`: how often upstream's rules of the kind look at the metadata of a changed object, as
    that of an object and as that of a change, besides the look that all kinds share. Clients see a complaint of each.
    `part_looks`: the two numbers for writes through subresources, where they are not 0 and 1.
    `metadata_last`: they do not look at that of a new object, whose metadata is judged once they find nothing.
    `plain_finalizers`: those looks let finalizers pass that have no domain.
    """

    create: Create = nothing
    update: Update = lambda new, old: iter(())
    name: names.Check = names.dns1123_subdomain
    update_is_whole: bool = False
    nameless: bool = False
    whole_looks: int = 0
    update_looks: int = 1
    part_looks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    plain_finalizers: bool = False
    metadata_last: bool = False
    subresources: Mapping[str, Update] = field(default_factory=dict)


RulesTable: TypeAlias = Mapping[tuple[str, str], Rules]
"""(group, plural) -> rules."""

Part: TypeAlias = Callable[[Tree, Path], Errors]
