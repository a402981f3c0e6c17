"""downwardAPI volumes: fields and resources of the pod as files."""

from collections.abc import Sequence

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.containers.fields import FieldError, field_value, resource_value
from pybernetes.kubelet.volumes.context import VolumeContext
from pybernetes.kubelet.volumes.files import File, VolumeError

DEFAULT_MODE = 0o644


def files(context: VolumeContext, items: Sequence[v1.DownwardAPIVolumeFile], default_mode: int) -> dict[str, File]:
    """Raises VolumeError for a field that the API does not offer."""
    made: dict[str, File] = {}
    for item in items:
        try:
            text = _value(context, item)
        except FieldError as error:
            raise VolumeError(str(error)) from error
        made[item.path] = File(text.encode(), default_mode if item.mode is None else item.mode)
    return made


def _value(context: VolumeContext, item: v1.DownwardAPIVolumeFile) -> str:
    if item.field_ref:
        return field_value(context.pod, item.field_ref.field_path)
    if item.resource_field_ref:
        container = context.pod.spec.containers[0]
        return resource_value(context.pod, container, item.resource_field_ref, context.doors.allocatable)
    return ""
