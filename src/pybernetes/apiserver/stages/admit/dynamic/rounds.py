"""Who is called once more, since others changed the object behind them (reinvocationPolicy)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from pybernetes.api.tree import Tree, copied
from pybernetes.apiserver.admission import Attributes, Rounds

IF_NEEDED: Final = "IfNeeded"


class Invoked:
    """What one plugin remembers of a request: who wants to be called again, and who is to be."""

    def __init__(self, attributes: Attributes, rounds: Rounds) -> None:
        self._attributes = attributes
        self._rounds = rounds
        self._willing: set[Hashable] = set()
        self._due: set[Hashable] = set()
        self._last: Tree | None = None

    @classmethod
    def of(cls, attributes: Attributes, plugin: str) -> Invoked:
        """The plugin's, at the begin of its turn."""
        if attributes.rounds is None:
            attributes.rounds = Rounds()
        known = attributes.rounds.known
        found = known.get(plugin)
        if not isinstance(found, cls):
            found = known[plugin] = cls(attributes, attributes.rounds)
        elif attributes.rounds.is_second and found._last != attributes.object:
            found._call_again()  # other plugins changed it
        return found

    @property
    def round(self) -> int:
        return int(self._rounds.is_second)

    def skips(self, who: Hashable) -> bool:
        """Whether it is not their turn: in the second round only theirs who were called in the first."""
        return self._rounds.is_second and who not in self._due

    def called(self, who: Hashable, policy: str, *, changed: bool) -> None:
        """They were; `changed` if the object is another than before."""
        if changed:
            self.change()
        if policy == IF_NEEDED:
            self._willing.add(who)

    def change(self) -> None:
        """Everybody who was called until now has seen something else than what there is."""
        self._call_again()
        self._rounds.wanted = True

    def _call_again(self) -> None:
        self._due |= self._willing
        self._willing = set()

    def end(self) -> None:
        """The plugin's turn is over."""
        self._last = copied(self._attributes.object)
