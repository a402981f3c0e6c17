"""Shuffle sharding: each flow gets a hand of few queues, so that two flows hardly ever share all of theirs."""

from __future__ import annotations

from hashlib import blake2b


def deal(flow: str, deck: int, hand: int) -> list[int]:
    """`hand` different cards out of `deck`, always the same ones for a flow."""
    number = int.from_bytes(blake2b(flow.encode(), digest_size=16).digest())
    cards = list(range(deck))
    dealt: list[int] = []
    for left in range(deck, max(deck - hand, 0), -1):
        number, place = divmod(number, left)
        dealt.append(cards.pop(place))
    return dealt
