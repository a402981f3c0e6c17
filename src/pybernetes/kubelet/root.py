"""The kubelet's directory. Whoever writes a plugin or a DaemonSet knows it as /var/lib/kubelet; here every node has its own.

So that name is an alias: what pods and plugins name below it is found in the node's own directory (`here`), and what
they are told is named below it (`told`).
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

PUBLIC = Path("/var/lib/kubelet")


class Root(Struct, frozen=True):
    """`own`: where it is. Pure but for `make`."""

    own: Path

    @property
    def pods(self) -> Path:
        return self.own / "pods"

    @property
    def plugins(self) -> Path:
        """Where drivers have their sockets and what they stage."""
        return self.own / "plugins"

    @property
    def plugins_registry(self) -> Path:
        return self.own / "plugins_registry"

    @property
    def device_plugins(self) -> Path:
        return self.own / "device-plugins"

    @property
    def pod_resources(self) -> Path:
        return self.own / "pod-resources"

    def here(self, path: str | Path) -> Path:
        """Where a path is that somebody names who knows the node as /var/lib/kubelet."""
        named = Path(os.path.normpath(path))
        return self.own / named.relative_to(PUBLIC) if named.is_relative_to(PUBLIC) else Path(path)

    def told(self, path: str | Path) -> str:
        """How they know a path of ours."""
        own = Path(path)
        return str(PUBLIC / own.relative_to(self.own)) if own.is_relative_to(self.own) else str(path)

    def make(self) -> None:
        """Make the directories that pods may ask to be there. Safe to repeat."""
        for directory in (self.pods, self.plugins, self.plugins_registry, self.device_plugins, self.pod_resources):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)


UPSTREAM = Root(PUBLIC)
"""A kubelet that is alone on its machine: the name is where it is."""
