"""Scalars of YAML are what Go takes them for, on the way in and on the way out."""

import re

import pytest

from pybernetes.apiserver.yaml import from_yaml, to_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000), ("1.0", 1), ("1.5", 1.5), (".5", 0.5), ("1e400", "1e400"), ("1e21", 1e21), ("1e", "1e"),
        ("0o7", 7), ("010", 8), ("08", 8), ("0x1F", 31), ("0b11", 3), ("0x", "0x"), ("1_000", 1000), ("_1", "_1"), ("-0", 0),
        ("123456789012345678901234567890", 1.2345678901234568e29), ("1:30", "1:30"), ("=", "="), ("<<", "<<"),
        ("2020-01-01", "2020-01-01"), ("!!timestamp 2020-01-01", "2020-01-01"), ("!!binary YQ==", "a"), ("!!set {x}", {"x": None}),
        ("!foo x", "x"), ("!foo {b: c}", {"b": "c"}), ("!foo [b]", ["b"]), ("~", None), ("yes", True), ("!!str 1", "1"),
    ],
)  # fmt: skip
def test_read(text, value):
    read = from_yaml(f"a: {text}".encode())["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (".inf", "json: unsupported value: +Inf"),
        (".nan", "json: unsupported value: NaN"),
        ("!!null x", "yaml: cannot decode !!str `x` as a !!null"),
        ('!!binary "!"', "yaml: !!binary value contains invalid base64 data"),
    ],
)
def test_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        from_yaml(f"a: {text}".encode())


def test_keys_are_told_of_in_order():
    assert list(from_yaml(b"b: 1\nc: 2\na: 3\nB: 4\n")) == ["B", "a", "b", "c"]


@pytest.mark.parametrize("text", ["1e3", "0o7", "1:30", "08", "1_0", "0x1", "2020-01-01", "true", "n"])
def test_written(text):
    assert to_yaml({"a": text}) == f'a: "{text}"\n'.encode()


@pytest.mark.parametrize("text", ["=", "==", "a=b"])
def test_written_as_they_are(text):
    assert to_yaml({"a": text}) == f"a: {text}\n".encode()
