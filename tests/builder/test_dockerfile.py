"""The grammar, by tables."""

from __future__ import annotations

import pytest

from pybernetes.builder.dockerfile.errors import ParseError
from pybernetes.builder.dockerfile.expand import expand, expand_words
from pybernetes.builder.dockerfile.instruction import json_form, pairs, split_flags
from pybernetes.builder.dockerfile.source import read
from pybernetes.builder.dockerfile.stages import divide

VARIABLES = {"a": "A", "empty": "", "two": "x y", "path": "/usr/lib/lib.so", "nested": "a"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a", "A"),
        ("${a}b", "Ab"),
        ("$ab", ""),
        ("$missing-x", "-x"),
        ("'$a'", "$a"),
        ('"$a"', "A"),
        (r"\$a", "$a"),
        (r"'it''s'", "its"),
        ("${missing:-d}", "d"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${missing-d}", "d"),
        ("${a:+x}", "x"),
        ("${empty:+x}", ""),
        ("${empty+x}", "x"),
        ("${missing:-${a}}", "A"),
        ("${missing:-${other:-deep}}", "deep"),
        ("${path#*/}", "usr/lib/lib.so"),
        ("${path##*/}", "lib.so"),
        ("${path%.*}", "/usr/lib/lib"),
        ("${path%%/*}", ""),
        ("${path/lib/LIB}", "/usr/LIB/lib.so"),
        ("${path//lib/LIB}", "/usr/LIB/LIB.so"),
        ("a$", "a$"),
        ("$ a", "$ a"),
        ('"a\\"b"', 'a"b'),
        ('"a\\nb"', "a\\nb"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["a", "b"]),
        ("$two c", ["x", "y", "c"]),
        ('"$two" c', ["x y", "c"]),
        ('a"b c"d', ["ab cd"]),
        (r"a\ b", ["a b"]),
        ("$empty b", ["b"]),
        ('"" b', ["", "b"]),
    ],
)
def test_expand_words(text: str, expected: list[str]) -> None:
    assert expand_words(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${a", "syntax error: missing '}'"),
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        ("${a:x}", "unsupported modifier (:x) in substitution"),
        ("${missing:?no value}", "missing: no value"),
        ("${missing?}", "missing: not allowed to be unset"),
    ],
)
def test_what_cannot_be_expanded(text: str, message: str) -> None:
    with pytest.raises(
        ParseError, match="^" + message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?") + "$"
    ):
        expand(text, VARIABLES)


def shown(text: str) -> list[tuple[str, str, int, int]]:
    return [(each.keyword, each.rest, each.line, each.end) for each in read(text).instructions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from a", [("FROM", "a", 1, 1)]),
        ("\n# c\n  RUN a\n", [("RUN", "a", 3, 3)]),
        ("RUN a \\\n  b \\\n# comment\n\n  && c", [("RUN", "a   b   && c", 1, 5)]),
        ("RUN a\\\\\nRUN b", [("RUN", "a\\\\", 1, 1), ("RUN", "b", 2, 2)]),
        ("RUN a \\  \nb", [("RUN", "a b", 1, 2)]),
        ("# escape=`\nRUN a `\n b\\", [("RUN", "a  b\\", 2, 3)]),
        ("# syntax=docker/dockerfile:1\n# escape=`\nRUN a`\nb", [("RUN", "ab", 3, 4)]),
        ("\n# escape=`\nRUN a\\\nb", [("RUN", "ab", 3, 4)]),
        ("\ufeffFROM a\r\nRUN b\r\n", [("FROM", "a", 1, 1), ("RUN", "b", 2, 2)]),
        ("RUN echo # no comment", [("RUN", "echo # no comment", 1, 1)]),
    ],
)
def test_lines(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "heredocs"),
    [
        ("RUN <<EOF\na\n# b\n\nEOF\nRUN c", [("EOF", "a\n# b\n\n", True)]),
        ("RUN <<-EOF\n\ta\n\tEOF", [("EOF", "a\n", True)]),
        ("COPY <<'EOF' <<\"B\" /x/\n$a\nEOF\nb\nB", [("EOF", "$a\n", False), ("B", "b\n", False)]),
        ("RUN cat <<EOF > /f && echo x\na\nEOF", [("EOF", "a\n", True)]),
        ("RUN echo $((1<<2))", []),
        ("RUN cat <<< word", []),
        ("ENV a=<<EOF", []),
        ('RUN ["a", "<<EOF"]', []),
    ],
)
def test_heredocs(text: str, heredocs: list[tuple[str, str, bool]]) -> None:
    found = read(text).instructions
    assert [(each.name, each.content, each.expand) for each in found[0].heredocs] == heredocs
    assert len(found) == text.count("\nRUN c") + 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("FROM a\nRNU b", 2, "unknown instruction: RNU (did you mean RUN?)"),
        ("FROM a\nxyzzy b", 2, "unknown instruction: XYZZY"),
        ("RUN a", 1, "no build stage in current context: RUN"),
        ("FROM a\nRUN <<EOF\nb", 2, "unterminated heredoc"),
        ("FROM a b", 1, "FROM requires either one or three arguments"),
        ("FROM a AS 1b", 1, 'invalid name for build stage: "1b", name can\'t start with a number or contain symbols'),
        ("# escape=x\nFROM a", 1, "invalid escape token 'x' does not match ` or \\"),
        ("FROM $nothing", 1, "base name ($nothing) should not be blank"),
        ("FROM a\nRUN", 2, "RUN requires at least one argument"),
        ("FROM a\nWORKDIR", 2, "WORKDIR requires exactly one argument"),
        ("", 0, "file with no instructions"),
    ],
)
def test_what_is_no_dockerfile(text: str, line: int, message: str) -> None:
    with pytest.raises(ParseError) as error:
        divide(read(text), {}, {})
    assert (error.value.line, str(error.value)) == (line, message)


def test_stages() -> None:
    text = """
ARG version=1
ARG image=base:${version}
FROM $image AS Build
FROM build AS test
COPY --from=0 /a /b
FROM scratch
RUN --mount=type=bind,from=test,target=/t --mount=type=cache,target=/c x
COPY --from=other/image /a /b
FROM --platform=$TARGETPLATFORM last:${version}
"""
    made = divide(read(text), {"version": "2"}, {"TARGETPLATFORM": "linux/amd64"})
    assert [(stage.name, stage.base, stage.parent) for stage in made.stages] == [
        ("build", "base:2", None),
        ("test", "build", 0),
        ("", "scratch", None),
        ("", "last:2", None),
    ]
    assert [made.needs(stage) for stage in made.stages] == [set(), {0}, {1}, set()]
    assert made.stages[3].platform == "linux/amd64"
    assert made.target("").index == 3
    assert made.target("TEST").index == 1
    assert made.target("2").index == 2
    with pytest.raises(ParseError, match='target stage "no" could not be found'):
        made.target("no")


def test_flags() -> None:
    (found,) = read("COPY --from=a --chown=1:2 --link --exclude=x --exclude=y b c").instructions
    assert split_flags(found, "\\") == (
        {"from": ["a"], "chown": ["1:2"], "link": ["true"], "exclude": ["x", "y"]},
        "b c",
    )
    for text, message in (("RUN --nope x", "unknown flag: --nope"), ("ADD --chown=a --chown=b c d", "duplicate flag specified: chown")):  # fmt: skip
        with pytest.raises(ParseError, match=message):
            split_flags(read(text).instructions[0], "\\")


def test_json_form_and_pairs() -> None:
    assert json_form('["a", "b c"]') == ["a", "b c"]
    assert json_form("['a']") is None
    assert json_form("[1]") is None
    (found,) = read("ENV a=1 b='2 3' c=").instructions
    assert pairs(found, found.rest, "\\") == [("a", "1"), ("b", "'2 3'"), ("c", "")]
    (found,) = read("ENV a  1 2").instructions
    assert pairs(found, found.rest, "\\") == [("a", "1 2")]
    with pytest.raises(ParseError, match='Syntax error - can\'t find = in "b"'):
        pairs(read("ENV a=1 b").instructions[0], "a=1 b", "\\")
