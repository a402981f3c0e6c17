"""Names that are close to one that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

CLOSE = 0.6
SHOWN = 3


def nearest(name: str, candidates: Iterable[str], limit: int = SHOWN) -> list[str]:
    """The closest ones, best first; none if nothing is close."""
    return get_close_matches(name, sorted(set(candidates) - {name}), limit, CLOSE)


def hint(name: str, candidates: Iterable[str]) -> str:
    """`; nearest is "web"`, or nothing."""
    found = nearest(name, candidates)
    return f"; nearest is {' or '.join(quoted(each) for each in found)}" if found else ""


def quoted(name: str) -> str:
    return f'"{name}"'


def nearest_tags(tag: str, tags: Iterable[str], limit: int = SHOWN) -> list[str]:
    """Tags of an image close to one that is not there: versions that begin alike come first, then those spelt alike."""
    wanted = _parts(tag)

    def closeness(candidate: str) -> tuple[int, float]:
        parts = _parts(candidate)
        common = next(
            (i for i, (a, b) in enumerate(zip(wanted, parts, strict=False)) if a != b), min(len(wanted), len(parts))
        )
        return common, SequenceMatcher(None, tag, candidate).ratio()

    return sorted(set(tags) - {tag}, key=lambda each: (*closeness(each), each), reverse=True)[:limit]


def _parts(tag: str) -> list[str]:
    return re.findall(r"\d+|[a-z]+", tag.lower())
