"""`metrics.k8s.io` gives way to a metrics-server that helm installs, and comes back; a stand-in of it answers from the host."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.live import Failed, LiveCluster

pytestmark = pytest.mark.live

API = "v1beta1.metrics.k8s.io"
GROUP = "metrics.k8s.io/v1beta1"
KINDS = [
    {"name": plural, "singularName": "", "namespaced": plural == "pods", "kind": kind, "verbs": ["get", "list"]}
    for plural, kind in (("nodes", "NodeMetrics"), ("pods", "PodMetrics"))
]
CHART = """apiVersion: v2
name: metrics-server
version: 3.13.0
"""
TEMPLATE = """
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: PORT}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-server, namespace: kube-system, labels: {kubernetes.io/service-name: metrics-server}}
addressType: IPv4
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
ports: [{name: https, port: PORT}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:metrics-server-aggregated-reader
  labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}
rules: [{apiGroups: [metrics.k8s.io], resources: [pods, nodes], verbs: [get, list, watch]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  {group: metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true,
   service: {name: metrics-server, namespace: kube-system, port: 443}}
"""
AUTOSCALER = """
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3,
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}}
"""


class Standin(BaseHTTPRequestHandler):
    """Seven cores are used on every node, whichever is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        usage = {"timestamp": "2026-11-30T00:00:00Z", "window": "15s", "usage": {"cpu": "7", "memory": "7Gi"}}
        node = {"metadata": {"name": "test"}, **usage}
        answer: dict[str, Any] = {"kind": "NodeMetricsList", "apiVersion": GROUP, "metadata": {}, "items": [node]}
        if self.path.rstrip("/") == f"/apis/{GROUP}":
            answer = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP, "resources": KINDS}
        elif self.path.startswith("/openapi"):
            self.send_error(404)
            return
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def chart(cluster: LiveCluster, tmp_path: Path) -> Iterator[Path]:
    """The chart's objects, with the stand-in behind its service."""
    pki = cluster.profile.certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    server = ThreadingHTTPServer((cluster.profile.node_address, 0), Standin)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text(CHART)
    made = TEMPLATE.replace("PORT", str(server.server_port)).replace("ADDRESS", cluster.profile.node_address)
    (tmp_path / "chart" / "templates" / "all.yaml").write_text(made)
    yield tmp_path / "chart"
    server.shutdown()
    server.server_close()


def processor(cluster: LiveCluster) -> str:
    return cluster.kubectl("top", "nodes", "--no-headers").split()[1]


def has_no_metrics(cluster: LiveCluster) -> bool:
    with pytest.raises(Failed, match="Metrics API not available"):
        cluster.kubectl("top", "nodes")
    return API not in cluster.kubectl("get", "apiservices", "-o", "name")


def test_metrics_give_way_and_come_back(cluster: LiveCluster, chart: Path) -> None:
    cluster.kubectl("create", "deployment", "web", "--image=nginx")
    cluster.kubectl("set", "resources", "deployment/web", "--requests=cpu=10m")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert processor(cluster) != "7000m"
    install = ["helm", "install", "metrics-server", str(chart), "--namespace", "kube-system"]
    with pytest.raises(Failed, match=f'APIService "{API}" .* cannot be imported'):
        cluster.run(install)

    # Off: nobody serves them, which each who wants them says; a restart changes nothing.
    assert "metrics is disabled" in cluster.p8s("addons", "disable", "metrics")
    assert has_no_metrics(cluster)
    cluster.p8s("restart")
    assert has_no_metrics(cluster)
    assert "addon metrics is disabled; p8s addons enable metrics --profile test brings it back" in cluster.p8s("status")
    assert json.loads(cluster.p8s("status", "-o", "json"))["disabled"] == ["metrics"]
    cluster.kubectl("apply", "-f", "-", input=AUTOSCALER)
    cluster.kubectl("wait", "--for=condition=ScalingActive=False", "hpa/web", "--timeout=60s")
    why = cluster.p8s("why", "hpa/web")
    assert "nothing serves metric cpu: there is no API metrics.k8s.io" in why
    assert "the server could not find the requested resource (get pods.metrics.k8s.io)" in why
    assert "p8s addons enable -p test metrics, or install metrics-server" in why

    # Another's in its place: asked also while the addon is on again, for as long as it is there.
    cluster.run(install)
    cluster.kubectl("wait", "--for=condition=Available", f"apiservice/{API}", "--timeout=60s")
    assert processor(cluster) == "7000m"
    assert cluster.p8s("addons", "enable", "metrics").startswith("metrics is enabled")
    assert processor(cluster) == "7000m"
    cluster.run(["helm", "uninstall", "metrics-server", "--namespace", "kube-system"])
    cluster.kubectl("wait", "--for=create", f"apiservice/{API}", "--timeout=60s")
    assert processor(cluster) != "7000m"
    cluster.kubectl("wait", "--for=condition=ScalingActive", "hpa/web", "--timeout=60s")

    # Applied over ours, and deleted: handed over, handed back.
    applied = str(chart / "templates" / "all.yaml")
    cluster.kubectl("apply", "-f", applied)
    cluster.kubectl("wait", "--for=condition=Available", f"apiservice/{API}", "--timeout=60s")
    assert processor(cluster) == "7000m"
    cluster.kubectl("delete", "-f", applied)
    cluster.kubectl("wait", "--for=create", f"apiservice/{API}", "--timeout=60s")
    assert processor(cluster) != "7000m"
