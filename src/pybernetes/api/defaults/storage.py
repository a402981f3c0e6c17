"""The storage group."""

from __future__ import annotations

from pybernetes.api.defaults.table import Default, fields

DEFAULTS: dict[str, Default] = {
    "storage.v1.StorageClass": fields(reclaimPolicy="Delete", volumeBindingMode="Immediate"),
    "storage.v1.CSIDriverSpec": fields(
        attachRequired=True, podInfoOnMount=False, volumeLifecycleModes=lambda: ["Persistent"],
        storageCapacity=False, fsGroupPolicy="ReadWriteOnceWithFSType", requiresRepublish=False, seLinuxMount=False,
    ),
}  # fmt: skip
