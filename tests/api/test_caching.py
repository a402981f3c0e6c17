"""What clients make up does not stay."""

from pybernetes.api.caching import LONGEST, short_cache


def test_only_short_texts_are_remembered() -> None:
    asked: list[int] = []

    @short_cache(10)
    def length(text: str, *, other: str = "") -> int:
        asked.append(len(text))
        return len(text) + len(other)

    for text, other in (("a", ""), ("b" * (LONGEST + 1), ""), ("c", "d" * (LONGEST + 1))):
        assert length(text, other=other) == length(text, other=other) == len(text) + len(other)
    assert asked == [1, LONGEST + 1, LONGEST + 1, 1, 1]
