"""Formats of names: what passes and upstream's words for what does not."""

import pytest

from pybernetes.api import names


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (names.dns1123_label, "my-name"), (names.dns1123_label, "0"), (names.dns1123_label, "x" * 63),
        (names.dns1123_subdomain, "a.b-c.d"), (names.dns1035_label, "abc-123"),
        (names.wildcard_dns1123_subdomain, "*.example.com"), (names.label_value, ""), (names.label_value, "My_value.1"),
        (names.qualified_name, "example.com/My.Name"), (names.qualified_name, "a"), (names.config_map_key, ".hidden"),
        (names.env_var_name, "a b"), (names.port_name, "http-2"), (names.path_segment, "system:admin"),
        (names.percent, "25%"), (names.c_identifier, "_a1"), (names.fully_qualified_domain_name, "a.b"),
    ],
)  # fmt: skip
def test_right_ones(check: names.Check, value: str) -> None:
    assert check(value) == ()


@pytest.mark.parametrize(
    ("check", "value", "start"),
    [
        (names.dns1123_label, "Bad", "a lowercase RFC 1123 label must consist of"),
        (names.dns1123_label, "a\n", "a lowercase RFC 1123 label must consist of"),
        (names.dns1123_label, "a.b", "must not contain dots"),
        (names.dns1123_label, "x" * 64, "must be no more than 63 characters"),
        (names.dns1123_subdomain, "a..b", "a lowercase RFC 1123 subdomain must consist of"),
        (names.dns1035_label, "1a", "a DNS-1035 label must consist of"),
        (names.qualified_name, "a/b/c", "a valid label key must consist of"),
        (names.qualified_name, "/x", "prefix part must be non-empty"),
        (names.qualified_name, "x/", "name part must be non-empty"),
        (names.config_map_key, "..", "must not be '..'"),
        (names.config_map_key, "..a", "must not start with '..'"),
        (names.env_var_name, "a=b", "a valid environment variable name must consist only of printable ASCII"),
        (names.port_name, "a--b", "must not contain consecutive hyphens"),
        (names.path_segment, "a/b", "may not contain '/'"),
        (names.path_segment, "..", "may not be '..'"),
    ],
)
def test_wrong_ones(check: names.Check, value: str, start: str) -> None:
    assert check(value)[0].startswith(start)


def test_examples_and_pattern_are_told() -> None:
    assert names.label_value("bad value") == (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
        "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )


def test_a_generated_name_may_start_with_a_dash_at_its_end() -> None:
    check = names.generated_prefix(names.dns1123_label)
    assert check("web-") == ()
    assert check("Web-")


@pytest.mark.parametrize(
    ("value", "right"), [("acme.io/foo", True), ("nodomain", False), ("a/", False), ("A.b/c", False)]
)
def test_domain_prefixed_path(value: str, right: bool) -> None:
    assert names.is_domain_prefixed_path(value) is right
