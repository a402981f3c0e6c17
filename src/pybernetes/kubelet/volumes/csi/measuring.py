"""What drivers say of how full their volumes are."""

from __future__ import annotations

from pybernetes.kubelet.volumes.csi.driver import Can, Driver
from pybernetes.kubelet.volumes.csi.messages import StatsRequest, VolumeUsage
from pybernetes.kubelet.volumes.usage import Usage

_BYTES, _INODES = 1, 2


async def usage(driver: Driver, handle: str, path: str, staged: str) -> Usage | None:
    """None if the driver does not tell. Paths are as the driver knows them. Raises VolumeError."""
    if not await driver.can(Can.GET_VOLUME_STATS):
        return None
    request = StatsRequest(volume_id=handle, volume_path=path, staging_target_path=staged)
    return combined(await driver.stats(request))


def combined(told: list[VolumeUsage]) -> Usage:
    """Bytes and inodes come apart. Pure."""
    space = next((each for each in told if each.unit == _BYTES), None)
    inodes = next((each for each in told if each.unit == _INODES), None)
    return Usage(
        capacity=space.total if space else None,
        available=space.available if space else None,
        used=space.used if space else None,
        inodes=inodes.total if inodes else None,
        inodes_free=inodes.available if inodes else None,
        inodes_used=inodes.used if inodes else None,
    )
