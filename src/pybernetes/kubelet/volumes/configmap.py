"""configMap volumes."""

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.objects import ConfigError
from pybernetes.kubelet.podspec import namespace_of
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import File, VolumeError, config_map_data, select

DEFAULT_MODE = 0o644


async def files(
    context: VolumeContext, source: v1.ConfigMapVolumeSource | v1.ConfigMapProjection, default_mode: int
) -> dict[str, File]:
    """The keys of the ConfigMap as files. Raises VolumeError."""
    optional = bool(source.optional)
    try:
        found = await context.doors.objects.config_map(namespace_of(context.pod), source.name or "", optional=optional)
    except ConfigError as error:
        raise VolumeError(str(error)) from error
    data = config_map_data(found) if found else {}
    return select(data, source.items, default_mode, optional, "configmap")
