"""PersistentVolumeClaims and PersistentVolumes."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import volumes
from pybernetes.api.selectors import labels
from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types import storage_v1
from pybernetes.explain import terminating
from pybernetes.explain.causes import Cause, Finding
from pybernetes.explain.nearest import hint, nearest
from pybernetes.explain.snapshot import Snapshot, ref
from pybernetes.explain.terms import amount, listed

DELAYED = "WaitForFirstConsumer"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
LATE_SECONDS = 20.0


def explain(snapshot: Snapshot, claim: v1.PersistentVolumeClaim) -> Finding:
    """A claim: bound, waiting for its pod, or without a volume."""
    if claim.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, claim)
    phase = claim.status.phase
    if phase == "Bound":
        size = claim.status.capacity.get("storage", "")
        return Finding(ref(claim), f"is bound to volume {claim.spec.volume_name} ({size})")
    if phase == "Lost":
        return Finding(ref(claim), "has lost its volume", (Cause(
            f"persistentvolume {claim.spec.volume_name} is gone", seen=_said(snapshot, claim), steps=(
                "its data is lost with it; delete the claim and make it anew: " + snapshot.command("delete", ref(claim)),)),))  # fmt: skip
    name = volumes.class_of(claim)
    found = snapshot.get(storage_v1.StorageClass, name) if name else None
    if claim.spec.volume_name:
        return Finding(ref(claim), "is not bound", (_named(snapshot, claim),))
    if name and found is None and not _candidates(snapshot, name):
        return Finding(ref(claim), "is not bound", (_no_class(snapshot, claim, name),))
    if found is not None and found.provisioner != "kubernetes.io/no-provisioner":
        return _dynamic(snapshot, claim, found)
    return Finding(ref(claim), "is not bound", (_static(snapshot, claim, name),))


def _said(snapshot: Snapshot, claim: v1.PersistentVolumeClaim) -> tuple[str, ...]:
    return tuple(event.message or "" for event in snapshot.events(claim)[:1])


def _candidates(snapshot: Snapshot, class_name: str) -> list[v1.PersistentVolume]:
    return [volume for volume in snapshot.all(v1.PersistentVolume) if volumes.class_of(volume) == class_name]


def _named(snapshot: Snapshot, claim: v1.PersistentVolumeClaim) -> Cause:
    """A claim that names its volume."""
    name, said = claim.spec.volume_name or "", _said(snapshot, claim)
    volume = snapshot.get(v1.PersistentVolume, name)
    if volume is None:
        what = (
            f"it names persistentvolume {name}, which does not exist{hint(name, snapshot.names(v1.PersistentVolume))}"
        )
        return Cause(what, seen=said, steps=("kubectl get pv",))
    why = _unsuited(volume, claim) or "another claim has it"
    return Cause(
        f"it names persistentvolume {name}, which does not suit it: {why}",
        seen=said,
        steps=(f"kubectl describe pv {name}",),
    )


def _no_class(snapshot: Snapshot, claim: v1.PersistentVolumeClaim, name: str) -> Cause:
    names = snapshot.names(storage_v1.StorageClass)
    close = nearest(name, names, 1)
    has = f"; there is {listed(names)}" if names else ""
    what = f"storage class {name} does not exist, and no volume has that class{has}"
    better = close[0] if close else (names or ["CLASS"])[0]
    return Cause(what, seen=_said(snapshot, claim), steps=(
        f"a claim's class cannot be changed: delete the claim and make it anew with storageClassName: {better}",
        snapshot.command("delete", ref(claim)),
    ))  # fmt: skip


def _dynamic(snapshot: Snapshot, claim: v1.PersistentVolumeClaim, found: storage_v1.StorageClass) -> Finding:
    """A volume that is to be made, at once or with the first pod."""
    failed = [event.message or "" for event in snapshot.events(claim, "ProvisioningFailed")[:1]]
    if failed:
        cause = Cause(
            f"provisioner {found.provisioner} could not make a volume",
            seen=tuple(failed),
            steps=(snapshot.command("describe", ref(claim)),),
        )
        return Finding(ref(claim), "is not bound", (cause,))
    if found.volume_binding_mode == DELAYED and not claim.metadata.annotations.get(volumes.SELECTED_NODE):
        return Finding(ref(claim), "waits for the first pod that mounts it, as its class wants", working=True)
    if snapshot.age(claim.metadata.creation_timestamp) > LATE_SECONDS:
        cause = Cause(f"provisioner {found.provisioner} does not answer: does it run?", seen=_said(snapshot, claim), steps=(f"kubectl describe storageclass {found.metadata.name}",))  # fmt: skip
        return Finding(ref(claim), "is not bound", (cause,))
    return Finding(ref(claim), f"waits for provisioner {found.provisioner}", working=True)


def _static(snapshot: Snapshot, claim: v1.PersistentVolumeClaim, name: str) -> Cause:
    """A volume that somebody has to make: what is there, and why it does not suit."""
    named = f" of class {name}" if name else " without a class"
    found = _candidates(snapshot, name)
    said = _said(snapshot, claim)
    if not found:
        defaults = [
            c.metadata.name or ""
            for c in snapshot.all(storage_v1.StorageClass)
            if c.metadata.annotations.get(DEFAULT_CLASS) == "true"
        ]
        what = f"there is no persistentvolume{named}"
        if not name and claim.spec.storage_class_name == "" and defaults:
            what += f', and storageClassName is "", which keeps the default class {defaults[0]} away'
        return Cause(what, seen=said, steps=("make one (kubectl apply -f PV.yaml)" + (f", or use storageClassName: {defaults[0]}" if defaults else ""),))  # fmt: skip
    why = [f"{volume.metadata.name}: {_unsuited(volume, claim) or 'its node affinity'}" for volume in found]
    freed = [_freed(volume) for volume in found if volume.status.phase == "Released"]
    return Cause(f"no persistentvolume{named} suits it ({'; '.join(why[:4])})", seen=said, steps=(
        *freed[:1], "make a volume that does, or delete the claim and make it anew with what there is", "kubectl get pv"))  # fmt: skip


def _freed(volume: v1.PersistentVolume) -> str:
    return f"""kubectl patch pv {volume.metadata.name} -p '{{"spec":{{"claimRef":null}}}}'    # gives it to the next claim"""


def _unsuited(volume: v1.PersistentVolume, claim: v1.PersistentVolumeClaim) -> str:
    """What keeps a volume from a claim; "" if nothing that can be seen here does."""
    if volume.spec.claim_ref is not None and not volumes.is_for(volume, claim):
        holder = volume.spec.claim_ref
        return f"{volume.status.phase} to claim {holder.namespace}/{holder.name}"
    if volumes.size_of(volume) < volumes.requested(claim):
        return f"has {amount('storage', volumes.size_of(volume))}, {amount('storage', volumes.requested(claim))} are asked for"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return f"offers {', '.join(volume.spec.access_modes)}, {', '.join(claim.spec.access_modes)} is asked for"
    if word := volumes.mismatch(volume, claim):
        return word
    if claim.spec.selector is not None and not labels.from_struct(claim.spec.selector).matches(volume.metadata.labels):
        return "its labels do not match the claim's selector"
    return ""


def explain_volume(snapshot: Snapshot, volume: v1.PersistentVolume) -> Finding:
    """A volume: free, bound, or left over."""
    if volume.metadata.deletion_timestamp is not None:
        return terminating.explain(snapshot, volume)
    holder = volume.spec.claim_ref
    claimed = f"{holder.namespace}/{holder.name}" if holder else ""
    match volume.status.phase:
        case "Bound":
            return Finding(ref(volume), f"is bound to claim {claimed}")
        case "Released":
            return Finding(ref(volume), "is released", tuple(_released(snapshot, volume, claimed)))
        case "Failed":
            said = (volume.status.message or "",)
            return Finding(ref(volume), "has failed", (Cause("its reclaiming failed", seen=said, steps=(snapshot.command("describe", ref(volume)),)),))  # fmt: skip
        case _:
            return Finding(ref(volume), "is free for a claim")


def _released(snapshot: Snapshot, volume: v1.PersistentVolume, claimed: str) -> Iterator[Cause]:
    yield Cause(
        f"claim {claimed} is gone, and policy {volume.spec.persistent_volume_reclaim_policy} keeps the volume and its data from other claims",
        steps=(_freed(volume),),
    )
