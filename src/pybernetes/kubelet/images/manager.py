"""Makes an image that a pod wants present, by its pull policy, with back-off after failures and upstream's events."""

import logging

from msgspec import Struct, field

from pybernetes.aio.clock import Clock
from pybernetes.api.types import core_v1 as v1
from pybernetes.cri import types as t
from pybernetes.cri.errors import CRIError
from pybernetes.cri.service import ImageService
from pybernetes.kubelet.containers.security import ImageUser
from pybernetes.kubelet.counted import Counted
from pybernetes.kubelet.events import NORMAL, WARNING, Events
from pybernetes.kubelet.images.credentials import credentials_for, fitting
from pybernetes.kubelet.images.providers import CredentialProviders
from pybernetes.kubelet.objects import ConfigError, Objects
from pybernetes.kubelet.podspec import namespace_of, uid_of
from pybernetes.wire.images.reference import InvalidReferenceError, parse, parse_error, with_default_tag

log = logging.getLogger(__name__)

INITIAL_BACKOFF = 10.0
MAX_BACKOFF = 300.0
SHOW_ERROR_SECONDS = 2.0
"""How long a pod shows the error itself before it shows that it waits."""


class Wanted(Struct, frozen=True):
    """An image by the name that the pod has for it; events tell of the container, or of the pod if it is a volume."""

    image: str
    policy: str
    container: str = ""


class ReadyImage(Struct, frozen=True):
    """An image that is present."""

    ref: str
    user: ImageUser


class ImageError(Exception):
    """The image is not present; `reason` and message are those of the container's status."""

    def __init__(self, reason: str, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.reason, self.retry_after = reason, retry_after


class _Failure(Struct):
    """The last failed pull of an image for a pod."""

    message: str
    delay: float
    until: float


class ImageManager(Struct):
    """The images of this node's containers and of their volumes."""

    service: ImageService
    objects: Objects
    events: Events
    clock: Clock
    counted: Counted = field(default_factory=Counted)
    providers: CredentialProviders | None = None
    _failures: dict[tuple[str, str], _Failure] = field(default_factory=dict)

    async def ensure(self, pod: v1.Pod, wanted: Wanted, sandbox: t.PodSandboxConfig) -> ReadyImage:
        """Pull if the policy says so. Raises ImageError."""
        name = wanted.image
        try:
            image = with_default_tag(name)
        except InvalidReferenceError as error:
            message = f'Failed to apply default image tag "{name}": {parse_error(name, error)}'
            self._tell(pod, wanted, WARNING, "InspectFailed", message)
            raise ImageError("InvalidImageName", message, MAX_BACKOFF) from error
        present = await self._status(pod, wanted, image)
        policy = wanted.policy or "IfNotPresent"
        if policy == "Never" and present is None:
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._tell(pod, wanted, WARNING, "ErrImageNeverPull", message)
            raise ImageError("ErrImageNeverPull", message, INITIAL_BACKOFF)
        if present is not None and policy != "Always":
            message = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._tell(pod, wanted, NORMAL, "Pulled", message)
            return _ready(present)
        return await self._pull(pod, wanted, image, sandbox)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._failures if key[0] == uid]:
            del self._failures[key]

    def _tell(self, pod: v1.Pod, wanted: Wanted, type: str, reason: str, message: str) -> None:
        if wanted.container:
            self.events.container(pod, wanted.container, type, reason, message)
        else:
            self.events.pod(pod, type, reason, message)

    async def _status(self, pod: v1.Pod, wanted: Wanted, image: str) -> t.Image | None:
        try:
            return await self.service.image_status(t.ImageSpec(image=image))
        except CRIError as error:
            message = f'Failed to inspect image "{wanted.image}": {error}'
            self._tell(pod, wanted, WARNING, "InspectFailed", message)
            raise ImageError("ImageInspectError", message, INITIAL_BACKOFF) from error

    async def _pull(self, pod: v1.Pod, wanted: Wanted, image: str, sandbox: t.PodSandboxConfig) -> ReadyImage:
        key = (uid_of(pod), image)
        self._check_backoff(pod, wanted, key)
        self._tell(pod, wanted, NORMAL, "Pulling", f'Pulling image "{wanted.image}"')
        started = self.clock.monotonic()
        try:
            ref = await self._pull_with_secrets(pod, image, sandbox)
            found = await self.service.image_status(t.ImageSpec(image=ref or image))
        except CRIError as error:
            self._failed(key, str(error))
            message = f'Failed to pull image "{wanted.image}": {error}'
            self._tell(pod, wanted, WARNING, "Failed", message)
            raise ImageError("ErrImagePull", str(error), SHOW_ERROR_SECONDS) from error
        self._failures.pop(key, None)
        seconds = self.clock.monotonic() - started
        took = _duration(seconds)
        message = f'Successfully pulled image "{wanted.image}" in {took} ({took} including waiting).'
        size = found.size if found else 0
        self.counted.pulled(seconds, size)
        self._tell(pod, wanted, NORMAL, "Pulled", f"{message} Image size: {size} bytes.")
        return _ready(found or t.Image(id=ref))

    def _check_backoff(self, pod: v1.Pod, wanted: Wanted, key: tuple[str, str]) -> None:
        failure = self._failures.get(key)
        now = self.clock.monotonic()
        if failure is not None and now < failure.until:
            message = f'Back-off pulling image "{wanted.image}"'
            self._tell(pod, wanted, NORMAL, "BackOff", message)
            raise ImageError("ImagePullBackOff", f"{message}: ErrImagePull: {failure.message}", failure.until - now)

    def _failed(self, key: tuple[str, str], message: str) -> None:
        before = self._failures.get(key)
        delay = min(MAX_BACKOFF, before.delay * 2) if before else INITIAL_BACKOFF
        self._failures[key] = _Failure(message, delay, self.clock.monotonic() + delay)

    async def _pull_with_secrets(self, pod: v1.Pod, image: str, sandbox: t.PodSandboxConfig) -> str:
        """With each fitting credential until one works; without any if none fits."""
        secrets = await self._secrets(pod)
        spec = t.ImageSpec(image=image, annotations=pod.metadata.annotations)
        provided = await self._provided(pod, parse(image).repository)
        candidates: list[t.AuthConfig | None] = [*credentials_for(image, secrets), *provided] or [None]
        for auth in candidates[:-1]:
            try:
                return await self.service.pull_image(spec, auth, sandbox)
            except CRIError as error:
                log.debug("pull with one credential failed image=%s error=%s", image, error)
        return await self.service.pull_image(spec, candidates[-1], sandbox)

    async def _provided(self, pod: v1.Pod, repository: str) -> list[t.AuthConfig]:
        """What the node's credential providers have for the image."""
        if self.providers is None:
            return []
        return fitting(repository, (await self.providers.credentials(pod, repository)).items())

    async def _secrets(self, pod: v1.Pod) -> list[v1.Secret]:
        found: list[v1.Secret] = []
        missing: list[str] = []
        for reference in pod.spec.image_pull_secrets:
            name = reference.name or ""
            try:
                secret = await self.objects.secret(namespace_of(pod), name, optional=True)
            except ConfigError:
                secret = None
            if secret is None:
                missing.append(name)
            else:
                found.append(secret)
        if missing:
            words = f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
            message = words + "attempting to pull the image may not succeed."
            self.events.pod(pod, WARNING, "FailedToRetrieveImagePullSecret", message)
        return found


def _ready(image: t.Image) -> ReadyImage:
    user = ImageUser(image.uid.value if image.uid else None, image.username)
    return ReadyImage(image.id or (image.repo_digests[0] if image.repo_digests else ""), user)


def _duration(seconds: float) -> str:
    """As Go prints a duration rounded to milliseconds: 850ms, 1.935s, 1m2.5s."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{text}" if minutes else text
