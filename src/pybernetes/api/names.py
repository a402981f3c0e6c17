"""The formats of names, labels and paths. Each check returns what is wrong in upstream's words; empty means right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from pybernetes.api.caching import short_cache

Check: TypeAlias = Callable[[str], tuple[str, ...]]
"""Takes a value, returns the complaints. Checks are cached: names and keys repeat from object to object."""

DNS1123_LABEL_MAX: Final = 63
DNS1123_SUBDOMAIN_MAX: Final = 253
LABEL_VALUE_MAX: Final = 63
CONFIG_KEY_MAX: Final = 253

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SEARCHED = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_PERCENT = "[0-9]+%"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"


def max_length_complaint(limit: int, unit: str = "characters") -> str:
    """Upstream has two sets of checks: those of names count characters in words, those of label keys and values bytes."""
    return f"must be no more than {limit} {unit}"


def in_bytes(complaint: str) -> str:
    """A name's complaint in the words of label keys."""
    return re.sub("(no more than [0-9]+) characters$", r"\1 bytes", complaint)


def regex_complaint(message: str, pattern: str, *examples: str) -> str:
    """The words for a value that does not match a pattern: what it must be, examples, the pattern."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return (
        f"{message} (e.g. {shown}regex used for validation is '{pattern}')"
        if examples
        else (f"{message} (regex used for validation is '{pattern}')")
    )


_SUBDOMAIN_COMPLAINT = regex_complaint(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN, "example.com",
)  # fmt: skip
_QUALIFIED_COMPLAINT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_QUALIFIED_EXAMPLES = ("MyName", "my.name", "123-abc")


def _format(message: str, pattern: str, *examples: str, limit: int = 0, unit: str = "characters") -> Check:
    """A check of a pattern over the whole value, and of the length in bytes where there is a limit."""
    matches = re.compile(pattern, re.ASCII).fullmatch
    wrong = regex_complaint(message, pattern, *examples)

    @short_cache(4096)
    def check(value: str) -> tuple[str, ...]:
        found: tuple[str, ...] = ()
        if limit and len(value.encode("utf-8", "surrogatepass")) > limit:
            found += (max_length_complaint(limit, unit),)
        return found if matches(value) else (*found, wrong)

    return check


_dns1123_label: Final = _format(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL, "my-name", "123-abc", limit=DNS1123_LABEL_MAX,
)  # fmt: skip
dns1123_subdomain: Final = _format(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN, "example.com", limit=DNS1123_SUBDOMAIN_MAX,
)  # fmt: skip
search_domain: Final = _format(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    rf"{_SEARCHED}(\.{_SEARCHED})*", "example.com", limit=DNS1123_SUBDOMAIN_MAX,
)  # fmt: skip
dns1035_label: Final = _format(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    _DNS1035, "my-name", "abc-123", limit=DNS1123_LABEL_MAX,
)  # fmt: skip
wildcard_dns1123_subdomain: Final = _format(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    _WILDCARD, "*.example.com", limit=DNS1123_SUBDOMAIN_MAX,
)  # fmt: skip
label_value: Final = _format(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _LABEL_VALUE, "MyValue", "my_value", "12345", limit=LABEL_VALUE_MAX, unit="bytes",
)  # fmt: skip
c_identifier: Final = _format(
    "a valid C identifier must start with alphabetic character or '_', "
    "followed by a string of alphanumeric characters or '_'",
    _C_IDENTIFIER, "my_name", "MY_NAME", "MyName",
)  # fmt: skip
percent: Final = _format(
    "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
)
_config_map_key: Final = _format(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY, "key.name", "KEY_NAME", "key-name", limit=CONFIG_KEY_MAX,
)  # fmt: skip
_qualified_part: Final = _format(
    _QUALIFIED_COMPLAINT, _QUALIFIED, *_QUALIFIED_EXAMPLES, limit=DNS1123_LABEL_MAX, unit="bytes"
)


@short_cache(4096)
def qualified_name(value: str) -> tuple[str, ...]:
    """A label or annotation key, a condition type, a finalizer: a name with an optional DNS prefix and slash."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        words = regex_complaint(f"a valid label key {_QUALIFIED_COMPLAINT}", _QUALIFIED, *_QUALIFIED_EXAMPLES)
        return (f"{words} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    found: list[str] = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += (f"prefix part {in_bytes(complaint)}" for complaint in dns1123_subdomain(prefix))
    if not name:
        found.append("name part must be non-empty")
    found += (f"name part {complaint}" for complaint in _qualified_part(name))
    return tuple(found)


def declared_subdomain(value: str) -> tuple[str, ...]:
    """A subdomain, in the words of rules that upstream declares beside the type."""
    return tuple(in_bytes(complaint) for complaint in dns1123_subdomain(value))


@short_cache(4096)
def dns1123_label(value: str) -> tuple[str, ...]:
    """A name of one part, as of containers, volumes and namespaces."""
    found = _dns1123_label(value)
    if found and "." in value and not dns1123_subdomain(value):
        return (*found[:-1], "must not contain dots")
    return found


def config_map_key(value: str) -> tuple[str, ...]:
    """A key of a ConfigMap or Secret; it has to work as a file name too."""
    found = _config_map_key(value)
    if value in (".", ".."):
        return (*found, f"must not be '{value}'")
    if value.startswith(".."):
        return (*found, "must not start with '..'")
    return found


def env_var_name(value: str) -> tuple[str, ...]:
    """An environment variable's name as containers take it: printable ASCII without "="."""
    if value and all(" " <= char <= "~" and char != "=" for char in value):
        return ()
    return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)


@short_cache(1024)
def port_name(value: str) -> tuple[str, ...]:
    """An IANA service name (RFC 6335)."""
    found: list[str] = []
    if len(value) > 15:
        found.append(max_length_complaint(15))
    if not re.fullmatch("[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


def port_number(value: int) -> tuple[str, ...]:
    return () if 1 <= value <= 65535 else ("must be between 1 and 65535, inclusive",)


@short_cache(4096)
def path_segment(value: str) -> tuple[str, ...]:
    """A name that only has to be one segment of a URL path, as RBAC's names are."""
    if value in (".", ".."):
        return (f"may not be '{value}'",)
    return _path_segment_prefix(value)


def _path_segment_prefix(value: str) -> tuple[str, ...]:
    return tuple(f"may not contain '{char}'" for char in ("/", "%") if char in value)


@short_cache(256)
def fully_qualified_domain_name(value: str) -> tuple[str, ...]:
    """A domain of at least two labels."""
    found = dns1123_subdomain(value)
    if not found and "." not in value:
        return ("should be a domain with at least two segments separated by dots",)
    return found


def is_domain_prefixed_path(value: str) -> bool:
    """Whether it reads like "acme.io/foo"."""
    domain, slash, path = value.partition("/")
    return bool(slash and path) and not dns1123_subdomain(domain) and not url_path(path)


def url_path(value: str) -> tuple[str, ...]:
    """A path of characters that may stand in a URL as they are."""
    if _URL_PATH.fullmatch(value):
        return ()
    return (f"Invalid path (regex used for validation is '{_URL_PATH.pattern}')",)


_URL_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def generated_prefix(check: Check) -> Check:
    """The same check for `generateName`, where a suffix follows: a trailing dash is fine."""

    if check in (path_segment, declared_subdomain):  # the latter is not applied to what a name is made of
        return _path_segment_prefix

    def of_prefix(value: str) -> tuple[str, ...]:
        return check(value[:-1] + "a" if value.endswith("-") and len(value) > 1 else value)

    return of_prefix
