"""Waits for a cluster that is coming up, as a client without dependencies: it runs in the `p8s` process itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pybernetes.cluster import control
from pybernetes.cluster.profile import Profile

if TYPE_CHECKING:
    import http.client
    import ssl

T = TypeVar("T")
PAUSE = 0.01


class NotReadyError(Exception):
    """The cluster did not come up; the message says what is missing."""


class Probe:
    """A keep-alive connection to the API server with the administrator's certificate.

    What it needs of the library is loaded with the first question: a start has forked its daemon by then.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._connection: http.client.HTTPSConnection | None = None
        self._tls: ssl.SSLContext | None = None

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 while nobody answers."""
        import http.client

        try:
            connection = self._connection or self._connect()
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return 0, b""

    def _connect(self) -> http.client.HTTPSConnection:
        import http.client

        self._tls = self._tls or self._context()
        port = self._profile.settings.api_port
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=self._tls, timeout=5)
        return self._connection

    def _context(self) -> ssl.SSLContext:
        import ssl

        pki = self._profile.certificates
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return context

    def renewed(self, node: str) -> float:
        """When the node's agent last said that it lives (its Lease), in Unix seconds; 0 if it never has."""
        status, body = self.get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}")
        renewed = json.loads(body)["spec"].get("renewTime") if status == 200 else None
        return datetime.fromisoformat(renewed).timestamp() if renewed else 0.0

    def nodes(self) -> dict[str, bool]:
        """Each node and whether it is Ready; empty while the API does not answer."""
        status, body = self.get("/api/v1/nodes")
        if status != 200:
            return {}
        return {node["metadata"]["name"]: is_ready(node) for node in json.loads(body)["items"]}


def is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def wait_for(profile: Profile, what: str, ask: Callable[[], T | None], deadline: float) -> T:
    """The first answer that is not None; gives up at `deadline` or when the supervisor has died."""
    was_running = False
    while (answer := ask()) is None:
        running = control.is_running(profile)
        if was_running and not running:
            raise NotReadyError(f"the supervisor has ended; see {profile.logs / 'supervisor.log'}")
        if time.monotonic() > deadline:
            raise NotReadyError(f"{what} did not become ready in time; see the logs under {profile.logs}")
        was_running = running
        time.sleep(PAUSE)
    return answer


def wait_ready(profile: Profile, report: Callable[[str], None], seconds: float, since: float = 0.0) -> None:
    """Until the API server serves and the node is Ready, by the word of an agent that lived after `since`."""
    probe = Probe(profile)
    deadline = time.monotonic() + seconds
    wait_for(profile, "the API server", lambda: True if probe.get("/readyz")[0] == 200 else None, deadline)
    report("control plane")

    def node_ready() -> bool | None:
        is_alive = probe.renewed(profile.node_name) >= since
        return True if is_alive and probe.nodes().get(profile.node_name) else None

    wait_for(profile, f"node {profile.node_name}", node_ready, deadline)
    report("node")
