"""Why the API server of a kubeconfig does not answer its owner, and what brings it back."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from pybernetes.cli.console import NOT_RUNNING, Failure
from pybernetes.cluster import control, profile
from pybernetes.cluster.door import DoorError, is_stopped_roots, stopped_roots
from pybernetes.cluster.errors import ClusterError

if TYPE_CHECKING:
    from pybernetes.api.errors import StatusError
    from pybernetes.client.config import Config
    from pybernetes.cluster.profile import Profile

UNREACHABLE = (502, 503, 504)
UNAUTHORIZED, BAD_REQUEST = 401, 400
ANOTHER = "kubectl config get-contexts shows whose it is; p8s why -p PROFILE asks another"

ALERTS = (
    (r"CERTIFICATE_EXPIRED", "the client certificate of context {context!r} has expired, says {server}"),
    (
        r"UNKNOWN_CA|BAD_CERTIFICATE|DECRYPT_ERROR|CERTIFICATE_UNKNOWN",
        "{server} does not take the client certificate of context {context!r}: it is another cluster's, or not valid now",
    ),
    (r"certificate has expired|not yet valid", "the certificate of {server} is not valid now: look at both clocks"),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "the cluster at {server} is not the one of context {context!r}: the authority of its certificate is another",
    ),
)
"""What OpenSSL says, and what it means to who wrote the kubeconfig; the first that is found."""


def refused(config: Config, error: StatusError) -> Failure | ClusterError:
    """The API server does not answer, or not us."""
    here = cluster_here(config)
    if error.code in UNREACHABLE:
        if here is not None and control.state(here) != "Running":
            return control.NotRunningError(here)
        if is_stopped_roots(config.context):
            return DoorError(*stopped_roots(config.context))
        return _unreachable(config, error.message.removeprefix(f"{config.server}: "), here)
    if error.code == UNAUTHORIZED:
        cause = f"{config.server} does not know who asks: the credentials of context {config.context!r} have expired, or are another cluster's"
        return Failure([(cause, _renewal(here))])
    if error.code == BAD_REQUEST and "HTTP request to an HTTPS server" in error.message:
        return Failure([("the server of your kubeconfig has to begin with https://", ANOTHER)])
    return Failure([(error.message, "kubectl auth whoami")])


def nothing_allowed(config: Config) -> Failure:
    """The API answers, and the user may list nothing at all."""
    cause = (
        f"{config.server} lets you list nothing: context {config.context!r} has no credentials, or they have no rights"
    )
    return Failure([(cause, "kubectl auth whoami; or have new credentials: " + _renewal(cluster_here(config)))])


def cluster_here(config: Config) -> Profile | None:
    """The cluster of this machine whose API server it is, where that may be known."""
    with suppress(ClusterError, PermissionError):
        return next((each for each in profile.list_profiles() if each.server == config.server), None)
    return None


def _unreachable(config: Config, said: str, here: Profile | None) -> Failure:
    for pattern, words in ALERTS:
        if re.search(pattern, said):
            return Failure([(words.format(context=config.context, server=config.server), _renewal(here))], NOT_RUNNING)
    if said == "TimeoutError":
        said = "it takes the connection and does not answer"
    step = f"p8s status -p {here.name}; p8s logs -p {here.name} apiserver" if here is not None else ANOTHER
    return Failure([(f"no cluster answers at {config.server}: {said}", step)], NOT_RUNNING)


def _renewal(here: Profile | None) -> str:
    """What gives a kubeconfig credentials of the cluster that answers."""
    name = here.name if here is not None else "PROFILE"
    return f"sudo p8s update-context -p {name}" + (
        "" if here is not None else "    # if it is a cluster of this machine"
    )
