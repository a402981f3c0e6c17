"""projected volumes: service-account tokens, ConfigMaps, Secrets and the downward API in one directory."""

from datetime import datetime, timedelta

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.podspec import all_containers
from pybernetes.kubelet.volumes import configmap, downward, secret
from pybernetes.kubelet.volumes.context import Token, VolumeContext
from pybernetes.kubelet.volumes.files import File, VolumeError

DEFAULT_MODE = 0o644
DEFAULT_TOKEN_SECONDS = 3600
RENEW_FRACTION = 0.2
MAX_TOKEN_AGE = timedelta(hours=24)


async def files(context: VolumeContext, source: v1.ProjectedVolumeSource) -> dict[str, File]:
    """All sources in order; of two with the same path the later wins. Raises VolumeError."""
    mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
    made: dict[str, File] = {}
    for part in source.sources:
        made |= await _part(context, part, mode)
    return made


async def _part(context: VolumeContext, part: v1.VolumeProjection, mode: int) -> dict[str, File]:
    if part.config_map:
        return await configmap.files(context, part.config_map, mode)
    if given := part.secret:
        return await secret.files(context, given.name or "", given.items, bool(given.optional), mode)
    if part.downward_api:
        return downward.files(context, part.downward_api.items, mode)
    if part.service_account_token:
        return await _token_file(context, part.service_account_token, mode)
    kind = "clusterTrustBundle" if part.cluster_trust_bundle else "podCertificate"
    raise VolumeError(f"projected source {kind} is not supported on this node")


async def _token_file(context: VolumeContext, source: v1.ServiceAccountTokenProjection, mode: int) -> dict[str, File]:
    """Only for the user that runs all containers, where there is one such user."""
    audience, seconds = source.audience or "", source.expiration_seconds or DEFAULT_TOKEN_SECONDS
    token = context.tokens.get((audience, seconds))
    if token is None or renew_at(token, seconds) <= context.doors.clock.now():
        try:
            token = await context.doors.tokens.request(context.pod, audience, seconds)
        except StatusError as error:
            raise VolumeError(f"failed to fetch token: {error.message}") from error
        context.tokens[audience, seconds] = token
    user = _common_user(context.pod)
    if user is not None or context.fs_group is not None:
        mode = 0o600
    return {source.path: File(token.text.encode(), mode, user)}


def renew_at(token: Token, seconds: int) -> datetime:
    """When four fifths of its life are over, or after a day."""
    life = timedelta(seconds=seconds)
    return min(token.expires - life * RENEW_FRACTION, token.expires - life + MAX_TOKEN_AGE)


def _common_user(pod: v1.Pod) -> int | None:
    """The one runAsUser of all containers, if they agree."""
    shared = pod.spec.security_context.run_as_user if pod.spec.security_context else None
    users = {
        shared
        if c.security_context is None or c.security_context.run_as_user is None
        else c.security_context.run_as_user
        for c in all_containers(pod)
    }
    return users.pop() if len(users) == 1 else None
