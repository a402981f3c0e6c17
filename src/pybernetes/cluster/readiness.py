"""Waits for a cluster that is coming up, as a client without dependencies: it runs in the `p8s` process itself."""

from __future__ import annotations

import contextlib
import json
import textwrap
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pybernetes.cluster import control
from pybernetes.cluster.entries import CREATE, Entries
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.interrupts import Interrupts
from pybernetes.cluster.kubeconfig import ADMIN_HEADERS
from pybernetes.cluster.logs import last_lines
from pybernetes.cluster.node import Node
from pybernetes.cluster.profile import Profile

if TYPE_CHECKING:
    import http.client

T = TypeVar("T")
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
SOME_LEASE = f"{LEASES}?limit=1"
PAUSE = 0.01
LOOK_SECONDS = 0.5
CHECK_SECONDS = 0.1
"""How often who waits looks up for Ctrl-C, or a supervisor that has ended."""
RESTARTS = 3
LOG_LINES = 8
LONG_SECONDS = 5.0
"""Who waits this long for one thing is told what it is."""


class NotReadyError(ClusterError):
    """The cluster did not come up; the message says what is missing."""


class Probe:
    """A keep-alive connection to the API server's socket, as the administrator.

    What it needs of the library is loaded with the first question: a start has forked its daemon by then.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._connection: http.client.HTTPConnection | None = None
        self._versions: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 while nobody answers."""
        return self.send("GET", path)

    def send(self, method: str, path: str, body: Any = None, content: str = "application/json") -> tuple[int, bytes]:
        """The same with a body, given as what JSON can hold."""
        import http.client

        headers = {"Accept": "application/json", "Content-Type": content, **ADMIN_HEADERS}
        try:
            connection = self._connection or self._connect()
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            return 0, b""

    def _connect(self) -> http.client.HTTPConnection:
        self._connection = self._opened()
        return self._connection

    def _opened(self) -> http.client.HTTPConnection:
        from pybernetes.cluster.local_http import LocalConnection

        return LocalConnection(self._profile.api_socket, timeout=5)

    def list(self, path: str) -> list[dict[str, Any]]:
        """The objects of a list; none while the API does not answer."""
        status, body = self.get(path)
        if status != 200:
            self._versions.pop(path, None)
            return []
        page = json.loads(body)
        self._versions[path] = page["metadata"]["resourceVersion"]
        items: list[dict[str, Any]] = page["items"]
        return items

    def wait_change(self, path: str) -> None:
        """Until something has changed of what `list` gave of this path; for a second at most."""
        import http.client

        try:
            version = self._versions[path]
            connection = self._opened()
            with contextlib.closing(connection):
                query = f"watch=1&timeoutSeconds=1&resourceVersion={version}"
                connection.request("GET", f"{path}{'&' if '?' in path else '?'}{query}", headers=ADMIN_HEADERS)
                answer = connection.getresponse()
                if answer.status == 200:
                    answer.readline()
                    return
        except (KeyError, OSError, http.client.HTTPException):
            pass
        time.sleep(PAUSE)

    def renewed(self, node: str) -> float:
        """When the node's agent last said that it lives (its Lease), in Unix seconds; 0 if it never has."""
        renewed = [lease["spec"].get("renewTime") for lease in self.list(lease_of(node))]
        return datetime.fromisoformat(renewed[0]).timestamp() if renewed and renewed[0] else 0.0

    def last_renewal(self) -> float:
        """When one of the simulated nodes last said that it lives, in Unix seconds; 0 if none ever has."""
        renewed = [datetime.fromisoformat(lease["spec"]["renewTime"]) for lease in self.list(SOME_LEASE)]
        return max((moment.timestamp() for moment in renewed), default=0.0)

    def count_nodes(self) -> int:
        status, body = self.get(f"{NODES}?limit=1")
        if status != 200:
            return 0
        page = json.loads(body)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    def nodes(self) -> dict[str, bool]:
        """Each node and whether it is Ready; empty while the API does not answer."""
        return {node["metadata"]["name"]: says_ready(node) for node in self.list(NODES)}


def lease_of(node: str) -> str:
    return f"{LEASES}?fieldSelector=metadata.name%3D{node}"


def says_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


class Vigil:
    """Watches over the processes of a cluster that is waited for: why wait for one that cannot come?"""

    def __init__(
        self,
        profile: Profile,
        has_ended: Callable[[], bool],
        interrupts: Interrupts,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`report` is told what takes long."""
        self._profile, self._has_ended, self._interrupts, self._report = profile, has_ended, interrupts, report
        self._next = time.monotonic() + LOOK_SECONDS
        self._began = time.time()

    def look(self) -> None:
        """Raises NotReadyError if the supervisor has ended, or a component ends again and again; KeyboardInterrupt."""
        self._interrupts.check()
        if self._has_ended():
            raise self.failure("the supervisor has ended", "supervisor")
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_SECONDS
        try:
            components = control.request(self._profile, "status", timeout=5)["components"]
        except (OSError, ValueError, control.NotRunningError, control.NotAnsweringError):
            return  # it does not listen yet
        for each in components:
            if each["restarts"] >= RESTARTS and each["uptime"] < LOOK_SECONDS:
                raise self.failure(f"{each['name']} ends as soon as it is started", each["name"])

    def tell(self, what: str, component: str) -> None:
        """That it takes long, with the last line of the component's log."""
        log = self._profile.logs / f"{component}.log"
        # What an earlier run has said is no answer.
        lines = last_lines(log, 1) if log.exists() and log.stat().st_mtime >= self._began else []
        self._report(f"still waiting for {what}" + (f"; {component} says: {lines[0]}" if lines else ""))

    def failure(self, cause: str, component: str) -> NotReadyError:
        """With the end of a component's log."""
        lines = last_lines(self._profile.logs / f"{component}.log", LOG_LINES)
        said = f"; its log ends with:\n{textwrap.indent(chr(10).join(lines), '    ')}" if lines else ""
        return NotReadyError(cause + said, f"p8s start --profile {self._profile.name}, once that is mended")


def pause() -> None:
    time.sleep(PAUSE)


def wait_for(
    what: str,
    ask: Callable[[], T | None],
    vigil: Vigil,
    log: str,
    deadline: float,
    wait: Callable[[], None] = pause,
) -> T:
    """The first answer that is not None; after each other one `wait` says when it is worth asking again.

    Raises NotReadyError at `deadline`, with the end of the component's `log`.
    """
    long = time.monotonic() + LONG_SECONDS
    while (answer := ask()) is None:
        vigil.look()
        if time.monotonic() > long:
            vigil.tell(what, log)
            long = float("inf")
        if time.monotonic() > deadline:
            raise vigil.failure(f"{what} did not become ready in time", log)
        wait()
    return answer


def wait_ready(
    profile: Profile,
    report: Callable[[str], None],
    seconds: float,
    vigil: Vigil,
    *,
    since: float = 0.0,
) -> None:
    """Until the API server serves and the nodes are Ready, by the words of agents that lived after `since`."""
    probe = Probe(profile)
    deadline = time.monotonic() + seconds
    count = profile.settings.simulated_nodes

    def serves() -> bool | None:
        return True if probe.get("/readyz")[0] == 200 else None

    def nodes_alive() -> bool | None:
        return True if probe.last_renewal() >= since and (since == 0.0 or probe.count_nodes() >= count) else None

    with Entries(profile.run, CREATE) as entries:

        def socket_comes() -> None:
            pause() if profile.api_socket.exists() else entries.wait(CHECK_SECONDS)

        wait_for("the API server", serves, vigil, "apiserver", deadline, socket_comes)
    report("control plane")
    if profile.settings.simulated:
        # A node is renewed after it was made.
        renewed = partial(probe.wait_change, SOME_LEASE)
        wait_for(f"{count} simulated nodes", nodes_alive, vigil, "simulator", deadline, renewed)
    else:
        wait_nodes(probe, [node for node in profile.nodes if not node.stopped], vigil, since, deadline)
    report("node")


def wait_nodes(probe: Probe, nodes: list[Node], vigil: Vigil, since: float, deadline: float) -> None:
    """Until these nodes are Ready, by the words of agents that lived after `since`. Raises NotReadyError."""

    def is_alive(name: str) -> bool | None:
        return True if probe.renewed(name) >= since else None

    def is_ready(name: str) -> bool | None:
        return True if probe.nodes().get(name) else None

    for node in nodes:
        what, log = f"node {node.name}", node.named("agent")
        changed = partial(probe.wait_change, lease_of(node.name))
        wait_for(what, partial(is_alive, node.name), vigil, log, deadline, changed)
        wait_for(what, partial(is_ready, node.name), vigil, log, deadline, partial(probe.wait_change, NODES))
