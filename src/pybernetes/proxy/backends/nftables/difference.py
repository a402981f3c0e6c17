"""What to change in the table, in an order that never leaves a reference to what is not there. Pure."""

from collections.abc import Iterable, Mapping

from pybernetes.proxy.backends.nftables.layout import Set
from pybernetes.proxy.backends.nftables.pieces import Element, Pieces
from pybernetes.proxy.backends.nftables.transaction import Transaction

Elements = Mapping[Element, bytes | None]
"""Data of elements; None for one that is not there."""


def write_difference(
    transaction: Transaction, before: Iterable[Pieces], after: Iterable[Pieces], old: Elements, new: Elements
) -> None:
    """Add to the transaction what turns the pieces `before` into those `after`, and elements from `old` to `new`.

    Rules are emptied before what they lead to goes, and filled after what they lead to is there.
    """
    had, has = _merge(before), _merge(after)
    doomed = {name for name, kind in had.sets.items() if has.sets.get(name) != kind}
    gone = [name for name in had.chains if name not in has.chains]
    changed = {name: rules for name, rules in has.chains.items() if had.chains.get(name) != rules}

    write_deletions(
        transaction,
        [each for each, data in old.items() if data != new[each] and data is not None and each[0] not in doomed],
    )
    for name in (*gone, *(name for name in changed if name in had.chains)):
        transaction.flush_chain(name)
    for name in doomed:
        transaction.delete_set(name)
    for name in gone:
        transaction.delete_chain(name)

    write_sets(transaction, [kind for name, kind in has.sets.items() if had.sets.get(name) != kind])
    for name in changed:
        transaction.add_chain(name)
    for name, rules in changed.items():
        transaction.add_rules(name, rules)
    write_elements(
        transaction,
        {each: data for each, data in new.items() if data is not None and (old[each] != data or each[0] in doomed)},
    )


def write_sets(transaction: Transaction, sets: Iterable[Set]) -> None:
    for kind in sets:
        transaction.add_set(kind)


def write_elements(transaction: Transaction, elements: Mapping[Element, bytes]) -> None:
    """Add elements, as many as fit into one message at once."""
    by_set: dict[str, dict[bytes, bytes]] = {}
    for (name, key), data in elements.items():
        by_set.setdefault(name, {})[key] = data
    for name, found in by_set.items():
        transaction.add_elements(name, found)


def write_deletions(transaction: Transaction, elements: Iterable[Element]) -> None:
    by_set: dict[str, list[bytes]] = {}
    for name, key in elements:
        by_set.setdefault(name, []).append(key)
    for name, keys in by_set.items():
        transaction.delete_elements(name, keys)


def _merge(pieces: Iterable[Pieces]) -> Pieces:
    """Names of sets and chains are those of one service port: none is lost."""
    merged = Pieces()
    for each in pieces:
        merged.sets.update(each.sets)
        merged.chains.update(each.chains)
    return merged
