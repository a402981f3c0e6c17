"""Patterns of .dockerignore and of COPY, by tables."""

from __future__ import annotations

import pytest

from pybernetes.wire.images.ignore import Ignore, PatternError, clean, name_pattern, read_ignore


@pytest.mark.parametrize(
    ("patterns", "excluded", "kept"),
    [
        (["*.md"], ["README.md"], ["docs/README.md", "md"]),
        (["**/*.md"], ["README.md", "a/b/c.md"], ["a.mdx"]),
        (["docs"], ["docs", "docs/a/b"], ["docs2", "a/docs"]),
        (["/docs/"], ["docs/a"], ["a/docs"]),
        (["**/docs"], ["docs", "a/docs/b"], ["docs2"]),
        (["a/**"], ["a/b", "a/b/c"], ["a"]),
        (["a/**/z"], ["a/z", "a/b/c/z"], ["a/b"]),
        (["*", "!src"], ["a", "b/c"], ["src", "src/a/b"]),
        (["src", "!src/keep", "src/keep/not"], ["src/a", "src/keep/not/x"], ["src/keep", "src/keep/b"]),
        (["!a", "a"], ["a"], ["b"]),
        (["temp?"], ["tempa"], ["temp", "temp/a"]),
        (["[ab]x"], ["ax", "bx"], ["cx"]),
        (["[^ab]x"], ["cx"], ["ax"]),
        (["a\\*"], ["a*"], ["ab"]),
        (["."], [], ["a", ""]),
        (["a/../b"], ["b"], ["a"]),
        (["../x"], ["x"], []),
    ],
)
def test_ignore(patterns: list[str], excluded: list[str], kept: list[str]) -> None:
    ignore = Ignore(patterns)
    assert [path for path in excluded if not ignore.excludes(path)] == []
    assert [path for path in kept if ignore.excludes(path)] == []


@pytest.mark.parametrize("pattern", ["[a", "a\\", "[^]"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="syntax error in pattern"):
        Ignore([pattern])


def test_the_file() -> None:
    assert read_ignore("\ufeff# c\n\n a \n! b\n#x\nc#\n") == ("a", "!b", "c#")


def test_clean_stays_inside() -> None:
    assert [clean(path) for path in ("/a/./b//", "../../x", "/a/../../b", ".", "/")] == ["a/b", "x", "b", "", ""]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [("*.txt", "a.txt", "a.txt.gz"), ("a?c", "abc", "ac"), ("[a-c]", "b", "d"), ("a\\?", "a?", "ab"), ("*", ".x", "")],
)
def test_names(pattern: str, matching: str, other: str) -> None:
    compiled = name_pattern(pattern)
    assert compiled.fullmatch(matching)
    assert not compiled.fullmatch(other) or other == ""
