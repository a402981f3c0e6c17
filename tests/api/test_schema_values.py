"""Values of custom resources against their schemas: formats, and what of alternatives is told."""

from __future__ import annotations

import pytest

from pybernetes.api.field import Path
from pybernetes.api.validation.formats import has_format
from pybernetes.api.validation.schema_values import validate_value


@pytest.mark.parametrize(
    ("called", "right", "wrong"),
    [
        ("date-time", ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00+01:00"), ("x", "2020-01-01", "2020-13-01T00:00:00Z")),
        ("date", ("2020-01-01",), ("2020-1-1", "2020-02-30")),
        ("duration", ("1h", "-1s", "1d", "1 h", "2 weeks"), ("x", "1", "")),
        ("ipv4", ("1.2.3.4", "01.2.3.4"), ("::1", "x")),
        ("ipv6", ("::1",), ("1.2.3.4",)),
        ("cidr", ("1.2.3.0/24", "::/0"), ("1.2.3.4", "1.2.3.0/33", "x")),
        ("hostname", ("a.test", "A"), ("-", "a_b")),
        ("uri", ("https://a", "/x"), ("x", "")),
        ("uuid", ("123E4567E89B12D3A456426614174000",), ("x",)),
        ("uuid4", ("123e4567-e89b-42d3-a456-426614174000",), ("123e4567-e89b-12d3-a456-426614174000",)),
        ("byte", ("eA==",), ("eA", "x!", "")),
        ("mac", ("00:11:22:33:44:55",), ("00:11", "x")),
        ("isbn10", ("0321751043",), ("0321751044",)),
        ("isbn13", ("978-0321751041",), ("978-0321751042",)),
        ("creditcard", ("4111111111111111",), ("4111111111111112",)),
        ("k8s-short-name", ("abc",), ("Abc", "a.b")),
        ("nosuch", ("", "anything"), ()),
    ],
)  # fmt: skip
def test_formats(called: str, right: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    assert [text for text in right if not has_format(text, called)] == []
    assert [text for text in wrong if has_format(text, called)] == []


def told(schema: dict[str, object], value: object) -> list[str]:
    return sorted(str(error) for error in validate_value(schema, value, Path("spec")))


def test_of_alternatives_that_fail_the_closest_is_told() -> None:
    schema = {"anyOf": [{"required": ["a"]}, {"properties": {"b": {"pattern": "^x"}}, "required": ["b"]}]}
    assert told(schema, {"b": "y"}) == [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        "spec.b: Invalid value: \"y\": spec.b in body should match '^x'",
    ]
    exclusive = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    words = '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
    assert told(exclusive, {"a": 1, "b": 2}) == [f"{words}Found 2 valid alternatives"]
    assert told(exclusive, {}) == [f"{words}Found none valid", "spec.a: Required value"]


def test_numbers_have_to_fit_their_format() -> None:
    assert told({"type": "integer", "format": "int32"}, 3_000_000_000) == [
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec'
    ]
    assert told({"type": "integer"}, 1) == []


def test_one_complaint_about_a_text() -> None:
    schema = {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"}
    assert told(schema, "") == ['spec: Invalid value: "": spec in body should be at least 2 chars long']
