"""Network namespaces for tests: a thread is parked in each, work is done by threads that enter it.

Nothing here has a way out: a namespace has its own loopback and whatever links a test gives it.
"""

import ctypes
import os
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A new network namespace with loopback up; it is gone after `close` and the last socket in it."""

    def __init__(self) -> None:
        self._leave = threading.Event()
        entered: queue.Queue[tuple[int, int] | OSError] = queue.Queue()
        threading.Thread(target=self._park, args=(entered,), daemon=True).start()
        found = entered.get()
        if isinstance(found, OSError):
            raise found
        self.thread_id, self.fd = found
        self.command("ip", "link", "set", "lo", "up")

    def _park(self, entered: "queue.Queue[tuple[int, int] | OSError]") -> None:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            entered.put(OSError(ctypes.get_errno(), "unshare"))
            return
        entered.put((threading.get_native_id(), os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)))
        self._leave.wait()

    def close(self) -> None:
        self._leave.set()
        os.close(self.fd)

    def run(self, call: Callable[[], T]) -> T:
        """The result of a call made inside; sockets that it opens belong to the namespace for good."""
        result: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()

        def inside() -> None:
            try:
                if _libc.setns(self.fd, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                result.put((call(), None))
            except BaseException as error:
                result.put((None, error))

        threading.Thread(target=inside, daemon=True).start()
        value, failure = result.get()
        if failure is not None:
            raise failure
        return value  # type: ignore[return-value]

    def command(self, *arguments: str) -> str:
        """The output of a command that is run inside."""

        def execute() -> str:
            done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=30)
            assert done.returncode == 0, f"{arguments}: {done.stderr}"
            return done.stdout

        return self.run(execute)


class Network:
    """A node with a bridge, and pods on it, all without a way out."""

    def __init__(self, gateway: str = "10.244.0.1", services: str = "10.96.0.0/12") -> None:
        self.node = Namespace()
        self.pods: list[Namespace] = []
        self._gateway = gateway
        ip = self.node.command
        ip("ip", "link", "add", "bridge0", "type", "bridge")
        ip("ip", "addr", "add", f"{gateway}/24", "dev", "bridge0")
        ip("ip", "link", "set", "bridge0", "up")
        ip("ip", "route", "add", services, "dev", "bridge0")
        ip("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.bridge0.route_localnet=1")
        # As on a machine without br_netfilter: what is bridged is not translated.
        ip("sysctl", "-qwe", "net.bridge.bridge-nf-call-iptables=0")

    def add_pod(self, address: str) -> Namespace:
        """A namespace with this address on the bridge, able to reach itself through the node."""
        pod, number = Namespace(), len(self.pods)
        self.pods.append(pod)
        ip, name = self.node.command, f"veth{number}"
        ip("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pod.thread_id))
        ip("ip", "link", "set", name, "master", "bridge0", "up")
        ip("ip", "link", "set", name, "type", "bridge_slave", "hairpin", "on")
        pod.command("ip", "addr", "add", f"{address}/32", "dev", "eth0")
        pod.command("ip", "link", "set", "eth0", "up")
        pod.command("ip", "route", "add", self._gateway, "dev", "eth0")
        pod.command("ip", "route", "add", "default", "via", self._gateway)
        return pod

    def close(self) -> None:
        for namespace in (*self.pods, self.node):
            namespace.close()
