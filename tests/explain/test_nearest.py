"""Names that somebody may have meant."""

from __future__ import annotations

import pytest

from pybernetes.explain.nearest import hint, nearest, nearest_tags


def test_versions_that_begin_alike_come_first() -> None:
    tags = ["latest", "1.16.0", "1.17.0", "1.18.0", "1.18.0-alpine", "alpine", "2.0"]
    assert nearest_tags("1.18.30", tags) == ["1.18.0", "1.18.0-alpine", "1.17.0"]


def test_a_word_finds_words_spelt_alike() -> None:
    assert nearest_tags("lates", ["1.0", "latest", "alpine"], 1) == ["latest"]


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("setings", ["settings", "keys"], ["settings"]),
        ("web", ["database"], []),
        ("web", ["web"], []),
    ],
)
def test_only_what_is_close_is_a_hint(name: str, names: list[str], found: list[str]) -> None:
    assert nearest(name, names) == found
    assert hint(name, names) == (f'; nearest is "{found[0]}"' if found else "")
