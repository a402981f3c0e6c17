"""Where volumes of CSI drivers are on the node, as upstream has it: drivers, and tools, know these paths. Pure."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from msgspec import Struct

DATA_FILE = "vol_data.json"
_PLUGIN = "kubernetes.io/csi"
_ESCAPED = "kubernetes.io~csi"


class Places(Struct, frozen=True):
    """`root` is the kubelet's directory."""

    root: Path

    @property
    def plugin(self) -> Path:
        return self.root / "plugins" / _PLUGIN

    @property
    def devices(self) -> Path:
        return self.plugin / "volumeDevices"

    # Volumes with a filesystem

    def staged(self, driver: str, handle: str) -> Path:
        """Where the volume is once for the node; its record is beside."""
        return self.plugin / driver / sha256(handle.encode()).hexdigest() / "globalmount"

    def published(self, uid: str, name: str) -> Path:
        """Where it is for one pod; its record is beside. `name` is the volume's, or an inline volume's in its pod."""
        return self.mounts(self.root / "pods" / uid) / name / "mount"

    # Volumes that are devices

    def staged_device(self, name: str) -> Path:
        return self.devices / "staging" / name

    def published_device(self, uid: str, name: str) -> Path:
        return self.devices / "publish" / name / uid

    def device_link(self, uid: str, name: str) -> Path:
        """The pod's own name for the device: what says, after a restart, that the pod has it."""
        return self.links(self.root / "pods" / uid) / name

    def device_data(self, name: str) -> Path:
        """The directory of the device's record."""
        return self.devices / name / "data"

    # What pods have

    @staticmethod
    def mounts(pod: Path) -> Path:
        return pod / "volumes" / _ESCAPED

    @staticmethod
    def links(pod: Path) -> Path:
        return pod / "volumeDevices" / _ESCAPED


def has_volumes(pod: Path) -> bool:
    """Whether there is something in a pod's directory that its drivers have to take away."""
    return Places.mounts(pod).exists() or Places.links(pod).exists()
