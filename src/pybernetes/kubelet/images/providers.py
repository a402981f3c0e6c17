"""Image credential providers (KEP-2133, 4412): programs that are asked for credentials of the images that they know."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct, field

from pybernetes import flags
from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.images.credentials import Entry, matches

log = logging.getLogger(__name__)

GROUP = "credentialprovider.kubelet.k8s.io"
VERSIONS = tuple(f"{GROUP}/{version}" for version in ("v1", "v1alpha1", "v1beta1"))
_CONFIGURATION = "kubelet.config.k8s.io/"
SECONDS = 60.0
_GLOBAL = "<global>"


class Provider(Struct, frozen=True, rename="camel"):
    """An entry of a CredentialProviderConfig."""

    name: str
    match_images: list[str]
    api_version: str
    default_cache_duration: str
    args: list[str] = []
    env: list[dict[str, str]] = []
    token_attributes: dict[str, Any] | None = None


class _Auth(Struct):
    username: str = ""
    password: str = ""


class _Response(Struct, rename="camel"):
    api_version: str
    kind: str
    cache_key_type: str
    cache_duration: str | None = None
    auth: dict[str, _Auth] | None = None


class Tokens(Protocol):
    """What a provider may be told of the pod's service account."""

    async def annotations_of(self, pod: v1.Pod) -> tuple[str, Mapping[str, str]]:
        """The account's uid and annotations. Raises StatusError."""
        ...

    async def token_for(self, pod: v1.Pod, audience: str) -> str:
        """Raises StatusError."""
        ...


def read_providers(path: Path, programs: Path) -> list[Provider]:
    """Those of a CredentialProviderConfig, or of all in a directory. Raises ValueError, OSError."""
    if not programs.is_dir():
        raise ValueError(f"plugin binary directory {programs} did not exist")
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in (".json", ".yaml", ".yml"))
        if not files:
            raise ValueError(f'no configuration files found in directory "{path}"')
    found = [provider for file in files for provider in _read(file)]
    if not found:
        raise ValueError("failed to validate credential provider config: providers: Required value: at least 1 item in plugins is required")  # fmt: skip
    known: set[str] = set()
    for provider in found:
        _check(provider, programs)
        if provider.name in known:
            raise ValueError(f'duplicate provider name "{provider.name}" found in configuration file(s)')
        known.add(provider.name)
    return found


def _read(path: Path) -> list[Provider]:
    import yaml  # most nodes have no providers

    tree = yaml.safe_load(path.read_text()) or {}
    if tree.get("kind") != "CredentialProviderConfig" or not str(tree.get("apiVersion")).startswith(_CONFIGURATION):
        raise ValueError(f'error decoding config "{path}": failed to decode "{tree.get("kind")}" (wrong Kind)')
    try:
        return msgspec.convert(tree.get("providers") or [], list[Provider])
    except msgspec.ValidationError as error:
        raise ValueError(f'error decoding config "{path}": {error}') from error


def _check(provider: Provider, programs: Path) -> None:
    name = provider.name
    if name in ("", ".", "..") or "/" in name or " " in name:
        raise ValueError(f'providers.name: Invalid value: "{name}"')
    if provider.api_version not in VERSIONS:
        raise ValueError(f'providers.apiVersion: Unsupported value: "{provider.api_version}"')
    if not provider.match_images:
        raise ValueError("providers.matchImages: Required value: at least 1 item in matchImages is required")
    if flags.duration(provider.default_cache_duration) < 0:
        raise ValueError("providers.defaultCacheDuration: Invalid value: must be greater than or equal to 0")
    if not os.access(programs / name, os.X_OK):
        raise ValueError(f"plugin binary executable {programs / name} did not exist")


class CredentialProviders(Struct):
    """The providers of a node, and what they have said."""

    providers: Sequence[Provider]
    programs: Path
    clock: Clock
    tokens: Tokens
    _said: dict[tuple[str, ...], tuple[float, dict[str, Entry]]] = field(default_factory=dict)
    _asking: dict[tuple[str, ...], asyncio.Lock] = field(default_factory=dict)

    async def credentials(self, pod: v1.Pod, image: str) -> dict[str, Entry]:
        """By pattern, of all providers that know the image; one that fails is told in the log and has none."""
        found: dict[str, Entry] = {}
        for provider in self.providers:
            if not any(matches(pattern, image) for pattern in provider.match_images):
                continue
            try:
                found |= await self._of(provider, pod, image)
            except Exception as error:  # a program of others, and the API
                log.warning("Failed to provide credentials for image provider=%s image=%s error=%s", provider.name, image, error)  # fmt: skip
        return found

    async def _of(self, provider: Provider, pod: v1.Pod, image: str) -> dict[str, Entry]:
        account = await self._account(provider, pod)
        if account is None:
            return {}
        token, annotations, who = account
        lock = self._asking.setdefault((provider.name, image, who), asyncio.Lock())
        async with lock:
            for key in (image, image.partition("/")[0], _GLOBAL):
                until, known = self._said.get((provider.name, key, who), (0.0, {}))
                if self.clock.monotonic() < until:
                    return known
            return await self._ask(provider, image, token, annotations, who)

    async def _account(self, provider: Provider, pod: v1.Pod) -> tuple[str, dict[str, str], str] | None:
        """Token, annotations, and for whom an answer is; None if the provider is not for this pod."""
        asked = provider.token_attributes
        if asked is None:
            return "", {}, ""
        if not pod.spec.service_account_name:
            return None if asked.get("requireServiceAccount") else ("", {}, "")
        uid, given = await self.tokens.annotations_of(pod)
        required = asked.get("requiredServiceAccountAnnotationKeys") or []
        if any(key not in given for key in required):
            return None
        told = {key: given[key] for key in (*required, *(asked.get("optionalServiceAccountAnnotationKeys") or [])) if key in given}  # fmt: skip
        token = await self.tokens.token_for(pod, asked["serviceAccountTokenAudience"])
        of_token = asked.get("cacheType") == "Token"
        return token, told, token if of_token else f"{uid} {msgspec.json.encode(told, order='sorted').decode()}"

    async def _ask(
        self, provider: Provider, image: str, token: str, annotations: Mapping[str, str], who: str
    ) -> dict[str, Entry]:
        request: dict[str, Any] = {"kind": "CredentialProviderRequest", "apiVersion": provider.api_version, "image": image}  # fmt: skip
        if token:
            request |= {"serviceAccountToken": token, "serviceAccountAnnotations": dict(annotations)}
        said = await self._run(provider, msgspec.json.encode(request))
        response = msgspec.json.decode(said, type=_Response)
        if response.kind != "CredentialProviderResponse" or response.api_version != provider.api_version:
            raise ValueError(f"unexpected response {response.api_version}, {response.kind}")
        keys = {"Image": image, "Registry": image.partition("/")[0], "Global": _GLOBAL}
        if response.cache_key_type not in keys:
            raise ValueError(f"credential provider plugin did not return a valid cacheKeyType: {response.cache_key_type}")  # fmt: skip
        found = {name: Entry(one.username, one.password) for name, one in (response.auth or {}).items()}
        seconds = flags.duration(response.cache_duration or provider.default_cache_duration)
        if seconds > 0:
            key = provider.name, keys[response.cache_key_type], who
            self._said[key] = self.clock.monotonic() + seconds, found
        return found

    async def _run(self, provider: Provider, request: bytes) -> bytes:
        environment = {**os.environ, **{one["name"]: one["value"] for one in provider.env}}
        process = await asyncio.create_subprocess_exec(
            self.programs / provider.name, *provider.args, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                said, complaints = await process.communicate(request)
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            words = complaints.decode(errors="replace").strip()
            raise ValueError(f"error execing credential provider plugin {provider.name}: exit status {process.returncode}: {words}")  # fmt: skip
        return said
