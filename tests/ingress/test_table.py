"""Ingresses to routes, by the rules of the Ingress API."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pybernetes.api.types import networking_v1 as networking
from pybernetes.ingress.classes import CONTROLLER, is_ours
from pybernetes.ingress.table import Table, build, names_of, parts_of, rewritten

NGINX = "nginx.ingress.kubernetes.io/"


def ingress(name: str, rules: dict[str, dict[str, str]], *, age: int = 0, **given: Any) -> networking.Ingress:
    """Rules are `host: {"path Type": service}`; Type is Prefix unless said."""
    made = []
    for host, paths in rules.items():
        entries = []
        for text, service in paths.items():
            path, _, kind = text.partition(" ")
            backend = {"service": {"name": service, "port": {"number": 80}}}
            entries.append({"path": path, "pathType": kind or "Prefix", "backend": backend})
        made.append({"host": host, "http": {"paths": entries}} if host else {"http": {"paths": entries}})
    metadata = {
        "name": name,
        "namespace": "default",
        "creationTimestamp": f"2026-01-01T00:00:{age:02}Z",
        "annotations": given.pop("annotations", {}),
    }
    return msgspec.convert({"metadata": metadata, "spec": {"rules": made, **given}}, networking.Ingress)


def service_of(table: Table, host: str, path: str) -> str:
    route = table.find(host, path)
    return route.backend.service if route is not None else ""


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        # The table of the Ingress documentation, "Examples".
        ("/", "/any/path", True),
        ("/foo Exact", "/foo", True),
        ("/foo Exact", "/bar", False),
        ("/foo Exact", "/foo/", False),
        ("/foo/ Exact", "/foo", False),
        ("/foo", "/foo", True),
        ("/foo", "/foo/", True),
        ("/foo/", "/foo", True),
        ("/foo/", "/foo/", True),
        ("/aaa/bb", "/aaa/bbb", False),
        ("/aaa/bbb", "/aaa/bbb", True),
        ("/aaa/bbb/", "/aaa/bbb", True),
        ("/aaa/bbb", "/aaa/bbb/", True),
        ("/aaa/bbb", "/aaa/bbb/ccc", True),
        ("/aaa/bbb", "/aaa/bbbxyz", False),
        ("/foo ImplementationSpecific", "/foo/bar", True),
        ("/foo", "/Foo", False),
    ],
)
def test_paths(rule: str, request_: str, matches: bool) -> None:
    assert bool(service_of(build([ingress("i", {"": {rule: "web"}})]), "h", request_)) is matches


@pytest.mark.parametrize(
    ("rules", "request_", "expected"),
    [
        ({"/": "a", "/aaa": "b"}, "/aaa/ccc", "b"),
        ({"/": "a", "/aaa": "b"}, "/ccc", "a"),
        ({"/aaa": "a", "/aaa/bbb": "b", "/": "c"}, "/aaa/bbb", "b"),
        ({"/foo": "a", "/foo Exact": "b"}, "/foo", "b"),
        ({"/foo/": "a", "/foo Exact": "b"}, "/foo", "b"),
        ({"/foo": "a", "/foo Exact": "b"}, "/foo/x", "a"),
    ],
)
def test_the_longest_path_wins_and_exact_before_prefix(rules: dict[str, str], request_: str, expected: str) -> None:
    assert service_of(build([ingress("i", {"": rules})]), "h", request_) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("foo.com", "exact"),
        ("bar.foo.com", "wild"),
        ("baz.bar.foo.com", "any"),
        ("other", "any"),
        ("a.foo.com", "own"),
    ],
)
def test_hosts(host: str, expected: str) -> None:
    rules = {"foo.com": {"/": "exact"}, "*.foo.com": {"/": "wild"}, "a.foo.com": {"/": "own"}, "": {"/": "any"}}
    assert service_of(build([ingress("i", rules)]), host, "/") == expected


def test_names_of_a_host() -> None:
    assert names_of("a.b.c") == ("a.b.c", "*.b.c", "")


def test_what_a_hosts_own_rules_do_not_match_goes_to_rules_for_all_hosts() -> None:
    table = build([ingress("i", {"foo.com": {"/api": "api"}, "": {"/": "any"}})])
    assert service_of(table, "foo.com", "/x") == "any"


def test_default_backends() -> None:
    """What matches no rule of a host goes to the default of an Ingress with rules for it, else to the oldest."""
    default = {"service": {"name": "old", "port": {"number": 80}}}
    own = {"service": {"name": "own", "port": {"number": 80}}}
    table = build(
        [
            ingress("a", {"foo.com": {"/api": "api"}}, age=2, defaultBackend=own),
            ingress("b", {}, age=1, defaultBackend=default),
        ]
    )
    assert service_of(table, "foo.com", "/api") == "api"
    assert service_of(table, "foo.com", "/x") == "own"
    assert service_of(table, "bar.com", "/x") == "old"
    assert build([]).find("foo.com", "/") is None


def test_of_two_claims_the_older_has_it_and_the_younger_is_told() -> None:
    table = build([ingress("young", {"h": {"/": "b"}}, age=2), ingress("old", {"h": {"/": "a"}}, age=1)])
    assert service_of(table, "h", "/") == "a"
    (problem,) = table.problems["default/young"]
    assert (problem.reason, problem.message) == ("PathConflict", "h/ is served by Ingress default/old, which is older")


def test_ports_by_number_and_by_name() -> None:
    backend = {"service": {"name": "s", "port": {"name": "http"}}}
    table = build([ingress("i", {"": {"/": "web"}}, defaultBackend=backend)])
    assert {route.backend.port for route in table.routes()} == {"80", "http"}


def test_a_resource_is_refused_as_a_backend() -> None:
    resource = {"resource": {"apiGroup": "k8s.example.com", "kind": "StorageBucket", "name": "icons"}}
    table = build([ingress("i", {}, defaultBackend=resource)])
    (problem,) = table.problems["default/i"]
    assert problem.message == "backend StorageBucket icons: only services can be backends"


@pytest.mark.parametrize(
    ("path", "target", "request_", "expected"),
    [
        ("/something(/|$)(.*)", "/$2", "/something/new", "/new"),
        ("/something(/|$)(.*)", "/$2", "/something", "/"),
        ("/something(/|$)(.*)", "/$2", "/somethingelse", None),
        ("/SOMETHING", "/", "/something/else", "/"),
        ("/a/(x)?", "/b/$1$2", "/a/", "/b/"),
        ("/a/(.*)", r"/\1/$1", "/a/b", r"/\1/b"),
        ("/a/(.*)", "$1", "/a/b", "/b"),
    ],
)
def test_a_target_rewrites_the_whole_path(path: str, target: str, request_: str, expected: str | None) -> None:
    given = ingress(
        "i", {"": {f"{path} ImplementationSpecific": "web"}}, annotations={NGINX + "rewrite-target": target}
    )
    route = build([given]).find("h", request_)
    assert (rewritten(route, request_) if route is not None else None) == expected


def test_parts_of_a_rewrite_target() -> None:
    assert parts_of("/a/$1-$22") == ("/a/", 1, "-", 2, "2")


def test_longer_expressions_come_first() -> None:
    annotations = {NGINX + "use-regex": "true"}
    rules = {"/a.* ImplementationSpecific": "a", "/a/[0-9]+ ImplementationSpecific": "number", "/a/12 Exact": "exact"}
    table = build([ingress("i", {"": rules}, annotations=annotations)])
    assert [service_of(table, "h", path) for path in ("/a/1", "/a/x", "/a/12")] == ["number", "a", "exact"]


@pytest.mark.parametrize(
    ("path", "said"), [("/(a", "missing closing ): `/(a`"), ("/(?!a)b", "invalid or unsupported Perl syntax: `(?!`")]
)
def test_an_expression_that_cannot_be_used_is_told(path: str, said: str) -> None:
    annotations = {NGINX + "use-regex": "true"}
    table = build([ingress("i", {"": {f"{path} ImplementationSpecific": "a"}}, annotations=annotations)])
    (problem,) = table.problems["default/i"]
    assert problem.reason == "InvalidPath"
    assert said in problem.message
    assert table.find("h", path) is None


def test_no_expression_takes_long() -> None:
    """Backtracking would take longer than the universe is old."""
    annotations = {NGINX + "use-regex": "true"}
    table = build([ingress("i", {"": {"/(a+)+(a|aa)*$ ImplementationSpecific": "a"}}, annotations=annotations)])
    assert table.find("h", "/" + "a" * 5000 + "!") is None


def test_certificates_by_host() -> None:
    tls = [{"hosts": ["a.com", "*.b.com"], "secretName": "one"}, {"secretName": "two"}]
    table = build([ingress("i", {"c.com": {"/": "web"}}, tls=tls)])
    assert table.secret_of("a.com") == table.secret_of("x.b.com") == "default/one"
    assert table.secret_of("c.com") == "default/two"
    assert table.secret_of("x.y.b.com") == ""
    assert table.secured() == {"default/one", "default/two"}


@pytest.mark.parametrize(
    ("spec", "annotations", "default", "expected"),
    [
        ({"ingressClassName": "mine"}, {}, False, True),
        ({"ingressClassName": "nginx"}, {}, True, False),
        ({"ingressClassName": "gone"}, {}, True, False),
        ({}, {"kubernetes.io/ingress.class": "mine"}, False, True),
        ({}, {"kubernetes.io/ingress.class": "nginx"}, True, False),
        ({}, {}, True, True),
        ({}, {}, False, False),
    ],
)
def test_which_are_ours(spec: dict[str, Any], annotations: dict[str, str], default: bool, expected: bool) -> None:
    marked = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    classes = [
        {"metadata": {"name": "mine", "annotations": marked}, "spec": {"controller": CONTROLLER}},
        {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}},
    ]
    known = [msgspec.convert(each, networking.IngressClass) for each in classes]
    assert is_ours(ingress("i", {}, annotations=annotations, **spec), known) is expected
