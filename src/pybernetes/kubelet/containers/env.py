"""The environment of a container, in the order and with the precedence of the API: services, envFrom, env."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.containers.envfile import EnvFileError, read_variable
from pybernetes.kubelet.containers.expansion import expand
from pybernetes.kubelet.containers.fields import FieldError, field_value, resource_value
from pybernetes.kubelet.containers.serviceenv import service_variables
from pybernetes.kubelet.objects import ConfigError, Objects, secret_data
from pybernetes.kubelet.podspec import AnyContainer, namespace_of

log = logging.getLogger(__name__)


class EnvSources(Struct, frozen=True):
    """Where values come from beside the pod itself."""

    objects: Objects
    services: Iterable[v1.Service]
    allocatable: Mapping[str, str | int | float]
    volumes: Mapping[str, Path] = {}
    """Where on the node the pod's volumes are, by name."""


async def environment(pod: v1.Pod, container: AnyContainer, sources: EnvSources) -> dict[str, str]:
    """All variables with references resolved. Raises ConfigError with the words for the container's status."""
    namespace = namespace_of(pod)
    with_links = pod.spec.enable_service_links is not False
    services = service_variables(sources.services, namespace, with_links)
    variables: dict[str, str] = {}
    for source in container.env_from:
        variables |= await _from(namespace, source, sources.objects)
    for variable in container.env:
        if variable.value_from is None:
            variables[variable.name] = expand(variable.value or "", services | variables)
        elif (value := await _value(pod, container, variable.value_from, sources)) is not None:
            variables[variable.name] = value
    return services | variables


async def _from(namespace: str, source: v1.EnvFromSource, objects: Objects) -> dict[str, str]:
    prefix = source.prefix or ""
    data: Mapping[str, str] = {}
    if ref := source.config_map_ref:
        found = await objects.config_map(namespace, ref.name or "", optional=bool(ref.optional))
        data = found.data if found else {}
    elif secret_ref := source.secret_ref:
        secret = await objects.secret(namespace, secret_ref.name or "", optional=bool(secret_ref.optional))
        data = {key: _text(value) for key, value in secret_data(secret).items()} if secret else {}
    return {prefix + key: value for key, value in data.items() if "=" not in key}


async def _value(pod: v1.Pod, container: AnyContainer, source: v1.EnvVarSource, sources: EnvSources) -> str | None:
    """None where an optional source is absent: the variable is then not set."""
    namespace = namespace_of(pod)
    try:
        if source.field_ref:
            return field_value(pod, source.field_ref.field_path)
        if source.resource_field_ref:
            return resource_value(pod, container, source.resource_field_ref, sources.allocatable)
    except FieldError as error:
        raise ConfigError(str(error)) from error
    if selector := source.config_map_key_ref:
        return await _config_map_key(namespace, selector, sources.objects)
    if secret := source.secret_key_ref:
        return await _secret_key(namespace, secret, sources.objects)
    if source.file_key_ref:
        return _file_key(source.file_key_ref, sources.volumes)
    raise ConfigError("this kind of environment variable source is not supported")


async def _config_map_key(namespace: str, selector: v1.ConfigMapKeySelector, objects: Objects) -> str | None:
    name, optional = selector.name or "", bool(selector.optional)
    found = await objects.config_map(namespace, name, optional=optional)
    if found is not None and selector.key in found.data:
        return found.data[selector.key]
    if optional:
        return None
    raise ConfigError(f"couldn't find key {selector.key} in ConfigMap {namespace}/{name}")


async def _secret_key(namespace: str, selector: v1.SecretKeySelector, objects: Objects) -> str | None:
    name, optional = selector.name or "", bool(selector.optional)
    found = await objects.secret(namespace, name, optional=optional)
    data = secret_data(found) if found else {}
    if selector.key in data:
        return _text(data[selector.key])
    if optional:
        return None
    raise ConfigError(f"couldn't find key {selector.key} in Secret {namespace}/{name}")


def _file_key(selector: v1.FileKeySelector, volumes: Mapping[str, Path]) -> str | None:
    volume, key = selector.volume_name, selector.key
    if volume not in volumes:
        raise ConfigError(f'cannot find the volume "{volume}" referenced by FileKeyRef')
    try:
        value = read_variable(volumes[volume], selector.path, key)
    except EnvFileError as error:
        log.warning("environment file not read volume=%s path=%s error=%s", volume, selector.path, error)
        raise ConfigError("couldn't parse env file") from error
    if not value and not selector.optional:
        raise ConfigError(f'environment variable key "{key}" not found in file "{volumes[volume] / selector.path}"')
    return value or None


def _text(value: bytes) -> str:
    """Variables are bytes to the kernel; what is no UTF-8 passes unchanged."""
    return value.decode(errors="surrogateescape")
