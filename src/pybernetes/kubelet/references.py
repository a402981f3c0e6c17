"""Which ConfigMaps and Secrets a pod refers to. Pure."""

from collections.abc import Iterator

from pybernetes.api.types import core_v1 as v1
from pybernetes.api.types.base import Object
from pybernetes.kubelet.podspec import AnyContainer, all_containers

Reference = tuple[type[Object], str]


def references_of(pod: v1.Pod) -> set[Reference]:
    """By volumes, environment and pull secrets."""
    found: set[Reference] = {(v1.Secret, secret.name) for secret in pod.spec.image_pull_secrets if secret.name}
    for container in all_containers(pod):
        found.update(_of_container(container))
    for volume in pod.spec.volumes:
        found.update(_of_volume(volume))
    return found


def _of_container(container: AnyContainer) -> Iterator[Reference]:
    for source in container.env_from:
        if source.config_map_ref and source.config_map_ref.name:
            yield v1.ConfigMap, source.config_map_ref.name
        if source.secret_ref and source.secret_ref.name:
            yield v1.Secret, source.secret_ref.name
    for variable in container.env:
        value = variable.value_from
        if value and value.config_map_key_ref and value.config_map_key_ref.name:
            yield v1.ConfigMap, value.config_map_key_ref.name
        if value and value.secret_key_ref and value.secret_key_ref.name:
            yield v1.Secret, value.secret_key_ref.name


def _of_volume(volume: v1.Volume) -> Iterator[Reference]:
    if volume.config_map and volume.config_map.name:
        yield v1.ConfigMap, volume.config_map.name
    if volume.secret and volume.secret.secret_name:
        yield v1.Secret, volume.secret.secret_name
    for source in volume.projected.sources if volume.projected else ():
        if source.config_map and source.config_map.name:
            yield v1.ConfigMap, source.config_map.name
        if source.secret and source.secret.name:
            yield v1.Secret, source.secret.name
