"""Small parts by themselves: request info, negotiation, options, durations, ages, versions."""

from datetime import UTC, datetime

import pytest

from pybernetes.api.errors import StatusError
from pybernetes.apiserver.discovery import version_priority
from pybernetes.apiserver.handlers.continuation import Position, decode_continue, encode_continue
from pybernetes.apiserver.json_errors import JSONError, parse_json
from pybernetes.apiserver.negotiate import PROTOBUF, VIEWS, YAML, Format, content_type, negotiate
from pybernetes.apiserver.options import parse
from pybernetes.apiserver.request_info import parse as request_info
from pybernetes.apiserver.table.cells import human_duration, selector_text
from pybernetes.apiserver.table.pods import pod
from pybernetes.apiserver.yaml import from_yaml, to_yaml
from pybernetes.flags import duration


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource", "subresource", "namespace", "name"),
    [
        ("GET", "/api/v1/namespaces/n/pods", "list", "pods", "", "n", ""),
        ("GET", "/api/v1/namespaces/n/pods/p/log", "get", "pods", "log", "n", "p"),
        ("DELETE", "/apis/apps/v1/namespaces/n/deployments", "deletecollection", "deployments", "", "n", ""),
        ("PUT", "/api/v1/namespaces/n/finalize", "update", "namespaces", "finalize", "n", "n"),
        ("GET", "/api/v1/namespaces/n", "get", "namespaces", "", "n", "n"),
        ("POST", "/api/v1/nodes", "create", "nodes", "", "", ""),
    ],
)
def test_request_info(method, path, verb, resource, subresource, namespace, name):
    info = request_info(method, path)
    assert info.is_resource_request
    assert (info.verb, info.resource, info.subresource) == (verb, resource, subresource)
    assert (info.namespace, info.name) == (namespace, name)


@pytest.mark.parametrize("path", ["/", "/version", "/api", "/api/v1", "/apis/apps/v1", "/healthz/ping"])
def test_other_paths_are_no_resources(path):
    info = request_info("GET", path)
    assert not info.is_resource_request
    assert info.verb == "get"


def test_negotiation_takes_what_is_wanted_most():
    assert negotiate("application/yaml;q=0.5, application/json") == Format()
    assert negotiate("application/yaml").media_type == YAML
    assert negotiate(f"{PROTOBUF},application/json") == Format()
    assert negotiate(f"{PROTOBUF},application/json", protobuf=True).media_type == PROTOBUF
    table = negotiate("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", kinds=VIEWS)
    assert (table.kind, table.version) == ("Table", "v1")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*;q=0.1,application/yaml;q=0.05", YAML),
        ("application/*,application/yaml", YAML),
        ("text/plain,*/*", "application/json"),
        ("application/json;as=", "application/json"),
    ],
)
def test_what_is_named_goes_before_what_is_not(accept, media):
    assert negotiate(accept).media_type == media


@pytest.mark.parametrize("accept", ["application/json;v=v1;g=meta.k8s.io", "application/yaml;stream=watch"])
def test_a_view_that_is_not_offered_is_406(accept):
    with pytest.raises(StatusError, match="only the following media types"):
        negotiate(accept, kinds=VIEWS)


@pytest.mark.parametrize("header", [";", ";charset=utf-8", "application/json;=", "application/json;a", 'a/b;c="d'])
def test_a_content_type_that_is_none_is_415(header):
    with pytest.raises(StatusError) as caught:
        content_type(header)
    assert caught.value.code == 415


def test_a_content_type_may_have_parameters():
    assert content_type('application/yaml; charset="utf-8";x=y ') == YAML
    assert content_type("") == content_type("application/json;") == "application/json"


def test_what_cannot_be_had_is_406():
    with pytest.raises(StatusError, match="406: Not Acceptable") as caught:
        negotiate("text/html")
    assert caught.value.code == 406


@pytest.mark.parametrize("accept", ["application/*", "APPLICATION/JSON", ","])
def test_a_type_is_named_letter_by_letter_or_any_is_taken(accept):
    with pytest.raises(StatusError, match="Available representations: application/json, application/yaml"):
        negotiate(accept)
    assert negotiate(f"{accept},*/*;q=0.1").media_type == "application/json"
    assert negotiate("application/json;q=0") == Format()


def test_yaml_has_gos_styles():
    written = to_yaml({"a": "1", "b": "", "c": "x\ny\n", "d": "n", "e": "plain", "f": "a: b"})
    assert written == b'a: "1"\nb: ""\nc: |\n  x\n  y\nd: "n"\ne: plain\nf: \'a: b\'\n'


def test_flags_have_upstreams_names():
    options = parse(
        ["--secure-port=7443", "--authorization-mode=Node,RBAC", "--anonymous-auth=false", "--event-ttl=1h30m"]
    )
    assert options.secure_port == 7443
    assert options.authorization_mode == ("Node", "RBAC")
    assert options.anonymous_auth is False
    assert options.event_ttl == 5400.0


@pytest.mark.parametrize("text", ["", "5", "1x", "h"])
def test_a_duration_needs_units(text):
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (125, "2m5s"), (3600, "60m"), (4 * 3600, "4h"), (30 * 3600, "30h"), (3 * 86400, "3d")],
)
def test_ages(seconds, text):
    assert human_duration(seconds) == text


def test_versions_are_ordered_as_upstream_does():
    versions = ["v1alpha1", "foo", "v1", "v2beta1", "v10", "v2"]
    assert sorted(versions, key=version_priority) == ["v10", "v2", "v1", "v2beta1", "v1alpha1", "foo"]


def test_continue_tokens_go_round():
    position = Position(7, "a")
    assert decode_continue(encode_continue(position)) == position


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("x", "illegal base64 data at input byte 0"),
        ("e30=", "illegal base64 data at input byte 3"),
        ("e30", "server does not recognize this encoded version "),
        ("W10", "json: cannot unmarshal array into Go value of type storage.continueToken"),
        ("eyJ2IjoxfQ", "json: cannot unmarshal number into Go struct field continueToken.v of type string"),
        ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NX0", "encoded start key empty (version meta.k8s.io/v1)"),
        ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIuLi9hIn0", "../a"),
    ],
)
def test_a_token_that_is_none(token, why):
    with pytest.raises(StatusError) as caught:
        decode_continue(token)
    assert caught.value.message == f"invalid continue token: continue key is not valid: {why}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"x":-}', "invalid character '}' in numeric literal"),
        (b'{"x":tru}', "invalid character '}' in literal true (expecting 'e')"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"[nul", "invalid character ' ' in literal null (expecting 'l')"),
    ],
)
def test_json_that_is_none(body, why):
    with pytest.raises(JSONError) as caught:
        parse_json(body)
    assert str(caught.value) == why


def test_yaml_has_jsons_types():
    assert from_yaml(b"a: 2026-01-01\nb: 1.5\n1: c") == {"a": "2026-01-01", "b": 1.5, "1": "c"}


BOMB = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%b]\n" % (level, level, b",".join([b"*a%d" % (level - 1)] * 10)) for level in range(1, 9)
)


@pytest.mark.parametrize("bomb", [BOMB, b"a: &x [*x]", b"[" * 5000, b"\xff\xfe\x00", b"a: b: c"])
def test_a_yaml_bomb_is_refused(bomb):
    with pytest.raises(ValueError):  # noqa: PT011  # any reason will do
        from_yaml(bomb)


def test_selectors_as_text():
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["e", "d"]}]}
    assert selector_text(selector) == "a=b,c in (d,e)"
    selector = {"matchLabels": {"z": "b"}, "matchExpressions": [{"key": "y", "operator": "Exists"}]}
    assert selector_text(selector) == "y,z=b"


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"name": "c", "ready": True, "restartCount": 0, "state": {"running": {}}}],
            },
            ["1/1", "Running", "0"],
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "c",
                        "restartCount": 2,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:00:00Z"}},
                    }
                ],
            },
            ["0/1", "CrashLoopBackOff", "2 (60s ago)"],
        ),
    ],
)
def test_a_pods_cells(status, cells):
    obj = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}, "status": status}
    assert pod(obj, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))[1:4] == cells
