"""From a request to its targets, or to why there are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.ingress.test_table import NGINX, ingress

from pybernetes.api.endpoints import Target
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.ingress.annotations import Options, options_of
from pybernetes.ingress.decide import Endpoints, Forward, Question, Redirect, Refuse, decide, endpoints_for
from pybernetes.ingress.table import Backend, build

WEB = Backend("default", "web", "80")
FOUND = Endpoints((Target("10.244.0.5", 8080),))


def ask(given: Any, target: str = "/", *, host: str = "shop.example", secure: bool = False) -> Any:
    return decide(build([given]), lambda backend: FOUND, Question(host, target, secure))


@pytest.mark.parametrize(
    ("authority", "host"),
    [("Shop.Example:8080", "shop.example"), ("shop.example.", "shop.example"), ("[::1]:80", "[::1]"), ("", "")],
)
def test_the_host_of_a_request(authority: str, host: str) -> None:
    assert Question(authority, "/", False).host == host


def test_a_request_is_forwarded_as_it_came() -> None:
    found = ask(ingress("i", {"shop.example": {"/x": "web"}}), "/x/a%20b?x=%2F", host="SHOP.example:80")
    assert found == Forward("/x/a%20b?x=%2F", FOUND.targets, Options(), WEB)


def test_nobody_has_a_rule() -> None:
    found = ask(ingress("i", {"other": {"/": "web"}}))
    assert found == Refuse(404, "no Ingress has a rule for host 'shop.example' and path '/'")


def test_why_a_backend_has_no_endpoints_is_said() -> None:
    given = build([ingress("i", {"": {"/": "web"}})])
    found = decide(given, lambda backend: Endpoints(cause="service default/web not found"), Question("h", "/", False))
    assert found == Refuse(503, "service default/web not found (Ingress default/i)")


@pytest.mark.parametrize(
    ("annotation", "tls", "secure", "redirects"),
    [
        ({}, True, False, False),
        ({"ssl-redirect": "true"}, True, False, True),
        ({"ssl-redirect": "true"}, True, True, False),
        ({"ssl-redirect": "true"}, False, False, False),
        ({"force-ssl-redirect": "true"}, False, False, True),
        ({"force-ssl-redirect": "true"}, False, True, False),
    ],
)
def test_https_is_asked_for_by_annotation_alone(
    annotation: dict[str, str], tls: bool, secure: bool, redirects: bool
) -> None:
    given = ingress(
        "i",
        {"shop.example": {"/": "web"}},
        annotations={NGINX + name: value for name, value in annotation.items()},
        tls=[{"hosts": ["shop.example"], "secretName": "s"}] if tls else [],
    )
    found = ask(given, "/x?y", host="shop.example:80", secure=secure)
    assert (found == Redirect("https://shop.example/x?y")) is redirects


def test_https_is_asked_for_where_it_is_spoken() -> None:
    given = ingress("i", {"": {"/": "web"}}, annotations={NGINX + "force-ssl-redirect": "true"})
    question = Question("shop.example:8080", "/x?y", False, 8443)
    assert decide(build([given]), lambda backend: Endpoints(), question) == Redirect("https://shop.example:8443/x?y")


def test_a_rewritten_path_keeps_its_query() -> None:
    given = ingress("i", {"": {"/api(/|$)(.*)": "web"}}, annotations={NGINX + "rewrite-target": "/$2"})
    assert ask(given, "/api/a%20b?c=d").target == "/a%20b?c=d"


def test_protocols_that_are_not_spoken_are_refused_by_name() -> None:
    given = ingress("i", {"": {"/": "web"}}, annotations={NGINX + "backend-protocol": "FCGI"})
    assert ask(given) == Refuse(502, "Ingress default/i asks for FCGI, which is not supported")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"rewrite-target": "/$1", "use-regex": "true"}, Options(rewrite_target="/$1", use_regex=True)),
        ({"backend-protocol": "https"}, Options(backend_tls=True)),
        ({"proxy-body-size": "8m"}, Options(max_body=8 << 20)),
        ({"proxy-body-size": "0"}, Options()),
        ({"proxy-read-timeout": "3600", "proxy-connect-timeout": "10s"}, Options(answer_seconds=3600, connect_seconds=10)),
        ({"proxy-buffering": "off"}, Options()),
    ],
)  # fmt: skip
def test_annotations_that_are_known(annotations: dict[str, str], expected: Options) -> None:
    assert options_of({NGINX + name: value for name, value in annotations.items()} | {"own": "x"}) == (expected, [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("auth-url", "http://x", "is not supported and has no effect"),
        ("ssl-redirect", "perhaps", "has no effect: 'perhaps' is not a value for it"),
        ("proxy-body-size", "many", "has no effect: 'many' is not a value for it"),
        ("backend-protocol", "FCGI", "backends that speak FCGI are not supported: requests get 502"),
    ],
)
def test_annotations_that_are_told(name: str, value: str, said: str) -> None:
    _, (complaint,) = options_of({NGINX + name: value})
    assert said in complaint


def service(**spec: Any) -> core_v1.Service:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    given = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": ports, **spec}}
    return msgspec.convert(given, core_v1.Service)


def slices(**conditions: bool) -> list[discovery_v1.EndpointSlice]:
    given = {
        "metadata": {"name": "web-1"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.5"], "conditions": conditions}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    return [msgspec.convert(given, discovery_v1.EndpointSlice)]


@pytest.mark.parametrize("port", ["80", "http"])
def test_endpoints_by_number_and_by_name(port: str) -> None:
    assert endpoints_for(Backend("default", "web", port), service(), slices(ready=True)) == FOUND


def test_a_terminating_endpoint_serves_while_there_is_no_other() -> None:
    assert endpoints_for(WEB, service(), slices(ready=False, serving=True, terminating=True)) == FOUND


@pytest.mark.parametrize(
    ("backend", "found", "conditions", "cause"),
    [
        (WEB, None, {}, "service default/web not found"),
        (WEB, service(), {"ready": False}, "service default/web has no endpoints that are ready"),
        (Backend("default", "web", "8080"), service(), {}, "service default/web has no port 8080; its ports are 80 (http)"),
        (Backend("default", "web", "dns"), service(), {}, "service default/web has no port dns; its ports are 80 (http)"),
        (WEB, service(type="ExternalName"), {}, "service default/web is of type ExternalName, which an Ingress cannot lead to"),
    ],
)  # fmt: skip
def test_causes(backend: Backend, found: core_v1.Service | None, conditions: dict[str, bool], cause: str) -> None:
    assert endpoints_for(backend, found, slices(**conditions)) == Endpoints(cause=cause)


@pytest.mark.parametrize(
    ("annotation", "protocol", "http2"),
    [("", "kubernetes.io/h2c", True), ("", "http", False), ("GRPC", None, True), ("HTTP", None, False)],
)
def test_which_backends_speak_http2(annotation: str, protocol: str | None, http2: bool) -> None:
    """Those whose Ingress says so, and service ports of that appProtocol."""
    found = service()
    port = msgspec.structs.replace(found.spec.ports[0], app_protocol=protocol)
    found = msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, ports=[port]))
    annotations = {NGINX + "backend-protocol": annotation} if annotation else {}
    given = build([ingress("i", {"": {"/": "web"}}, annotations=annotations)])
    led = decide(given, lambda backend: endpoints_for(WEB, found, slices(ready=True)), Question("h", "/", False))
    assert isinstance(led, Forward)
    assert led.http2 == http2
