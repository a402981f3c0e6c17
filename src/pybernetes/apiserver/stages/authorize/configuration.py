"""`AuthorizationConfiguration` of `apiserver.config.k8s.io` (`--authorization-config`), checked as upstream does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.cel.admission import compile_condition
from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.types import DYN
from pybernetes.api.field import FieldError, Path
from pybernetes.apiserver.configuration import ConfigurationError, decode, read
from pybernetes.flags import duration

VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
TYPES: Final = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook")
POLICIES: Final = ("Deny", "NoOpinion")
MAX_SECONDS: Final = 30.0
CONDITIONS: Final = Environment({"request": DYN})


class _Base(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    pass


class Connection(_Base):
    type: str = ""
    kube_config_file: str = ""


class Condition(_Base):
    expression: str = ""


class Webhook(_Base):
    timeout: str = ""
    authorized_ttl: str = msgspec.field(default="5m", name="authorizedTTL")
    unauthorized_ttl: str = msgspec.field(default="30s", name="unauthorizedTTL")
    cache_authorized_requests: bool = True
    cache_unauthorized_requests: bool = True
    subject_access_review_version: str = ""
    match_condition_subject_access_review_version: str = ""
    failure_policy: str = ""
    connection_info: Connection = msgspec.field(default_factory=Connection)
    match_conditions: list[Condition] = []


class Authorizer(_Base):
    type: str = ""
    name: str = ""
    webhook: Webhook | None = None


class Authorization(_Base):
    authorizers: list[Authorizer] = []


def load(path: str) -> Authorization:
    """The configuration in a file. Raises ConfigurationError."""
    try:
        return _parse(read(path))
    except ConfigurationError as error:
        raise ConfigurationError(f'failed to load AuthorizationConfiguration from file "{path}": {error}') from error


def _parse(text: str) -> Authorization:
    made = decode(text, {(version, "AuthorizationConfiguration"): Authorization for version in VERSIONS})
    if wrong := list(_errors(made)):
        shown = [str(one) for one in wrong]
        raise ConfigurationError(shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]")
    return made


def _errors(made: Authorization) -> Iterator[FieldError]:
    root = Path("authorizers")
    if not made.authorizers:
        yield fields.required(root, "at least one authorization mode must be defined")
    types: set[str] = set()
    names: set[str] = set()
    for index, one in enumerate(made.authorizers):
        here = root.index(index)
        if not one.type:
            yield fields.required(here.child("type"), "")
        elif one.type not in TYPES:
            yield fields.not_supported(here.child("type"), one.type, TYPES)
        elif one.type != "Webhook" and one.type in types:
            yield fields.duplicate(here.child("type"), one.type)
        types.add(one.type)
        if not one.name:
            yield fields.required(here.child("name"), "")
        elif one.name in names:
            yield fields.duplicate(here.child("name"), one.name)
        names.add(one.name)
        if one.type == "Webhook":
            yield from _webhook_errors(one.webhook, here.child("webhook"))
        elif one.webhook is not None:
            words = "webhook config must be omitted when type is not Webhook"
            yield fields.invalid(here.child("webhook"), "non-null", words)


def _webhook_errors(webhook: Webhook | None, path: Path) -> Iterator[FieldError]:
    if webhook is None:
        yield fields.required(path, "")
        return
    if not webhook.timeout:
        yield fields.required(path.child("timeout"), "")
    for name, text in (("timeout", webhook.timeout), ("authorizedTTL", webhook.authorized_ttl), ("unauthorizedTTL", webhook.unauthorized_ttl)):  # fmt: skip
        yield from _duration_errors(path.child(name), text, bounded=name == "timeout")
    versions = (
        ("subjectAccessReviewVersion", webhook.subject_access_review_version),
        ("matchConditionSubjectAccessReviewVersion", webhook.match_condition_subject_access_review_version or ("" if webhook.match_conditions else "v1")),
    )  # fmt: skip
    for name, version in versions:
        if not version:
            yield fields.required(path.child(name), "")
        elif version != "v1":
            yield fields.not_supported(path.child(name), version, ["v1"])
    if not webhook.failure_policy:
        yield fields.required(path.child("failurePolicy"), "")
    elif webhook.failure_policy not in POLICIES:
        yield fields.not_supported(path.child("failurePolicy"), webhook.failure_policy, sorted(POLICIES, reverse=True))
    yield from _connection_errors(webhook.connection_info, path.child("connectionInfo"))
    for index, condition in enumerate(webhook.match_conditions):
        here = path.child("matchConditions").index(index).child("expression")
        if not condition.expression:
            yield fields.required(here, "")
        elif error := compile_condition(CONDITIONS, condition.expression).error:
            yield fields.invalid(here, condition.expression, error)


def _duration_errors(path: Path, text: str, *, bounded: bool) -> Iterator[FieldError]:
    if not text:
        return
    try:
        seconds = duration(text)
    except ValueError as error:
        yield fields.invalid(path, text, str(error))
        return
    if seconds <= 0:
        yield fields.invalid(path, text, "must be > 0s")
    elif bounded and seconds > MAX_SECONDS:
        yield fields.invalid(path, text, "must be <= 30s")


def _connection_errors(connection: Connection, path: Path) -> Iterator[FieldError]:
    if not connection.type:
        yield fields.required(path.child("type"), "")
    elif connection.type == "InClusterConfig":
        yield fields.invalid(
            path.child("type"), connection.type, "a server in the cluster is not supported: use KubeConfigFile"
        )
    elif connection.type != "KubeConfigFile":
        yield fields.not_supported(path.child("type"), connection.type, ["InClusterConfig", "KubeConfigFile"])
    elif not connection.kube_config_file:
        yield fields.required(path.child("kubeConfigFile"), "")
    elif not connection.kube_config_file.startswith("/"):
        yield fields.invalid(path.child("kubeConfigFile"), connection.kube_config_file, "must be an absolute path")
