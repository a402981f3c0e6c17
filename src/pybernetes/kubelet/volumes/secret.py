"""secret volumes."""

from collections.abc import Sequence

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.objects import ConfigError, secret_data
from pybernetes.kubelet.podspec import namespace_of
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import File, VolumeError, select

DEFAULT_MODE = 0o644


async def files(
    context: VolumeContext, name: str, items: Sequence[v1.KeyToPath], optional: bool, default_mode: int
) -> dict[str, File]:
    """The keys of the Secret as files. Raises VolumeError."""
    try:
        found = await context.doors.objects.secret(namespace_of(context.pod), name, optional=optional)
    except ConfigError as error:
        raise VolumeError(str(error)) from error
    return select(secret_data(found) if found else {}, items, default_mode, optional, "secret")
