"""Where services are reached, and why nobody answers: by table."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.cluster.urls import entries, has_ready, why_nobody_answers


def service(kind: str = "ClusterIP", *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    whole = {"type": kind, "clusterIP": "10.96.0.7", "ports": list(ports or ({"port": 80},)), **spec}
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": whole}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (service(), [("80", "http://10.96.0.7:80", "")]),
        (service("NodePort", {"port": 80, "nodePort": 30080}), [("80", "http://127.0.0.1:30080", "")]),
        (
            service("NodePort", {"name": "http", "port": 80, "nodePort": 30080}, {"name": "https", "port": 443, "nodePort": 30443}),
            [("http/80", "http://127.0.0.1:30080", ""), ("https/443", "https://127.0.0.1:30443", "")],
        ),
        (service("ClusterIP", {"port": 53, "protocol": "UDP"}), [("53", "udp://10.96.0.7:53", "")]),
        (service("ClusterIP", {"port": 53, "protocol": "TCP"}), [("53", "tcp://10.96.0.7:53", "")]),
        (service("ClusterIP", {"port": 8443, "appProtocol": "https"}), [("8443", "https://10.96.0.7:8443", "")]),
        (service("ClusterIP", {"port": 80}, clusterIP="fd00::1"), [("80", "http://[fd00::1]:80", "")]),
        (service(clusterIP="None"), [("80", "", "headless: its pods are reached by their own addresses")]),
        (service("LoadBalancer", {"port": 80, "nodePort": 30080}), [("80", "", "has no address yet")]),
        (service("ExternalName", externalName="example.org", ports=[]), [("-", "http://example.org", "")]),
        (service("ExternalName", {"port": 8080}, externalName="example.org"), [("8080", "http://example.org:8080", "")]),
        (service(ports=[]), [("-", "", "has no port")]),
    ],
)  # fmt: skip
def test_entries(given: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert [(each.target_port, each.url, each.note) for each in entries(given)] == expected


def test_balanced_address() -> None:
    given = service("LoadBalancer", {"port": 8080}) | {
        "status": {"loadBalancer": {"ingress": [{"ip": "10.244.255.1"}]}}
    }
    assert [each.url for each in entries(given)] == ["http://10.244.255.1:8080"]


@pytest.mark.parametrize(
    ("endpoints", "ready"),
    [
        ([], False),
        ([{"addresses": ["10.244.0.2"], "conditions": {"ready": True}}], True),
        ([{"addresses": ["10.244.0.2"], "conditions": {"ready": False}}], False),
        ([{"addresses": ["10.244.0.2"]}], True),
        (None, False),
    ],
)
def test_ready(endpoints: Any, ready: bool) -> None:
    assert has_ready([{"endpoints": endpoints}]) is ready


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": status}


def waiting(reason: str, message: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}


@pytest.mark.parametrize(
    ("selector", "pods", "reason"),
    [
        (None, [], "it has no selector, and nobody has made EndpointSlices for it"),
        ({"app": "web"}, [], "no pod in namespace shop has the labels app=web"),
        ({"app": "web"}, [pod(phase="Pending")], "pod web-1 is Pending"),
        ({"app": "web"}, [pod(conditions=[UNSCHEDULED])], "pod web-1: 0/1 nodes are available: 1 Insufficient cpu."),
        (
            {"app": "web"},
            [pod(containerStatuses=[waiting("ImagePullBackOff", "Back-off pulling")])],
            "pod web-1: ImagePullBackOff: Back-off pulling",
        ),
        ({"app": "web"}, [pod(phase="Pending"), pod(phase="Pending")], "pod web-1 is Pending (and 1 more)"),
        (
            {"app": "web"},
            [{"metadata": {"name": "web-1", "deletionTimestamp": "now"}}],
            "pod web-1 is being deleted",
        ),
    ],
)
def test_why_nobody_answers(selector: Any, pods: list[dict[str, Any]], reason: str) -> None:
    assert why_nobody_answers(service(selector=selector), pods) == reason
