"""`AuthorizationConfiguration` of `apiserver.config.k8s.io` (`--authorization-config`), checked as upstream does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

import msgspec

from pybernetes.api import field as fields
from pybernetes.api.cel.admission import compile_condition
from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.types import DYN
from pybernetes.api.field import FieldError, Path, quote
from pybernetes.api.names import dns1123_subdomain
from pybernetes.apiserver.configuration import ConfigurationError, decode, read, refuse
from pybernetes.apiserver.options import Options
from pybernetes.flags import duration

VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
TYPES: Final = ("ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook")
POLICIES: Final = ("NoOpinion", "Deny")
SENT: Final = ("v1", "v1beta1")
"""Versions of the SubjectAccessReview that is sent."""
MAX_SECONDS: Final = 30.0
MAX_CONDITIONS: Final = 64
CONDITIONS: Final = Environment({"request": DYN})


class _Base(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    pass


class Connection(_Base):
    type: str = ""
    kube_config_file: str | None = None


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
        text = read(path)
    except ConfigurationError as error:
        raise _unloaded(error) from error
    return parse(text)


def _unloaded(error: ConfigurationError) -> ConfigurationError:
    return ConfigurationError(f"failed to load AuthorizationConfiguration from file: {error}")


def parse(text: str, required: frozenset[str] = frozenset()) -> Authorization:
    """`required` are types that may not go while the server runs. Raises ConfigurationError."""
    try:
        made = decode(text, {(version, "AuthorizationConfiguration"): Authorization for version in VERSIONS})
    except ConfigurationError as error:
        raise _unloaded(error) from error
    refuse(list(_errors(made)))
    own = [one for one in made.authorizers if one.type != "Webhook"]
    wrong = [
        f"expected name {one.type.lower()} for authorizer {one.type} instead of {one.name}"
        for one in own
        if one.name != one.type.lower()
    ]
    if missing := required - {one.type for one in own}:
        wrong.append(f"missing required types: [{' '.join(sorted(missing))}]")
    if wrong:
        raise ConfigurationError(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return made


def of_flags(options: Options) -> Authorization:
    """What `--authorization-mode` and the `--authorization-webhook-*` flags ask for. Raises ConfigurationError."""
    modes, file = options.authorization_mode, options.authorization_webhook_config_file
    for mode in modes:
        if mode not in TYPES:
            raise ConfigurationError(f"authorization-mode {quote(mode)} is not a valid mode")
    policy = options.authorization_policy_file
    if "ABAC" in modes and not policy:
        raise ConfigurationError("authorization-mode ABAC's authorization policy file not passed")
    if policy and "ABAC" not in modes:
        raise ConfigurationError("cannot specify --authorization-policy-file without mode ABAC")
    if "Webhook" in modes and not file:
        raise ConfigurationError("authorization-mode Webhook's authorization config file not passed")
    if file and "Webhook" not in modes:
        raise ConfigurationError("cannot specify --authorization-webhook-config-file without mode Webhook")
    if len(set(modes)) != len(modes):
        shown = " ".join(quote(mode) for mode in modes)
        raise ConfigurationError(f"authorization-mode [{shown}] has mode specified more than once")
    version = options.authorization_webhook_version
    if file and version not in SENT:
        words = f'unsupported webhook authorizer version {quote(version)}, supported versions are "v1", "v1beta1"'
        raise ConfigurationError(words)
    granted = options.authorization_webhook_cache_authorized_ttl
    refused = options.authorization_webhook_cache_unauthorized_ttl
    webhook = Webhook(
        timeout="30s",
        authorized_ttl=f"{granted}s",
        unauthorized_ttl=f"{refused}s",
        cache_authorized_requests=granted > 0,
        cache_unauthorized_requests=refused > 0,
        subject_access_review_version=version,
        failure_policy="NoOpinion",
        connection_info=Connection("KubeConfigFile", file),
    )
    named = [(mode, "default" if mode == "Webhook" else mode.lower()) for mode in modes]
    return Authorization([Authorizer(mode, name, webhook if mode == "Webhook" else None) for mode, name in named])


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
            continue
        if one.type not in TYPES:
            yield fields.not_supported(here.child("type"), one.type, TYPES)
            continue
        if one.type != "Webhook" and one.type in types:
            yield fields.duplicate(here.child("type"), one.type)
            continue
        types.add(one.type)
        if not one.name:
            yield fields.required(here.child("name"), "")
        elif one.name in names:
            yield fields.duplicate(here.child("name"), one.name)
        elif wrong := dns1123_subdomain(one.name):
            words = f"authorizer name is invalid: {', '.join(wrong)}"
            yield fields.invalid(here.child("name"), one.name, words)
        names.add(one.name)
        if one.type != "Webhook":
            if one.webhook is not None:
                yield fields.invalid(here.child("webhook"), "non-null", "may only be specified when type=Webhook")
        elif one.webhook is None:
            yield fields.required(here.child("webhook"), "required when type=Webhook")
        else:
            yield from _webhook_errors(one.webhook, here)  # upstream's paths leave `webhook` out


def _webhook_errors(webhook: Webhook, path: Path) -> Iterator[FieldError]:
    for name, text in (("timeout", webhook.timeout), ("authorizedTTL", webhook.authorized_ttl), ("unauthorizedTTL", webhook.unauthorized_ttl)):  # fmt: skip
        yield from _duration_errors(path.child(name), text, bounded=name == "timeout")
    version = webhook.subject_access_review_version
    if not version:
        yield fields.required(path.child("subjectAccessReviewVersion"), "")
    elif version not in SENT:
        yield fields.not_supported(path.child("subjectAccessReviewVersion"), version, SENT)
    version, here = webhook.match_condition_subject_access_review_version, path.child("matchConditionSubjectAccessReviewVersion")  # fmt: skip
    if not version and webhook.match_conditions:
        yield fields.required(here, "required if match conditions are specified")
    elif version and version != "v1":
        yield fields.not_supported(here, version, ["v1"])
    if not webhook.failure_policy:
        yield fields.required(path.child("failurePolicy"), "")
    elif webhook.failure_policy not in POLICIES:
        yield fields.not_supported(path.child("failurePolicy"), webhook.failure_policy, POLICIES)
    yield from _connection_errors(webhook.connection_info, path.child("connectionInfo"))
    yield from _condition_errors(webhook.match_conditions, path.child("matchConditions"))


def _condition_errors(conditions: list[Condition], path: Path) -> Iterator[FieldError]:
    if len(conditions) > MAX_CONDITIONS:
        yield fields.too_many(path, len(conditions), MAX_CONDITIONS)
        return
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        here, expression = path.index(index).child("expression"), condition.expression
        if not expression.strip():
            yield fields.required(here, "")
        elif expression in seen:
            yield fields.duplicate(here, expression)
        elif error := compile_condition(CONDITIONS, expression).error:
            yield fields.invalid(here, expression, error)
        seen.add(expression)


def _duration_errors(path: Path, text: str, *, bounded: bool) -> Iterator[FieldError]:
    if not text:
        yield fields.required(path, "")
        return
    try:
        seconds = duration(text)
    except ValueError as error:
        yield fields.invalid(path, text, str(error))
        return
    if not seconds:
        yield fields.required(path, "")
    elif bounded and not 0 < seconds <= MAX_SECONDS:
        yield fields.invalid(path, text, "must be > 0s and <= 30s")
    elif seconds < 0:
        yield fields.invalid(path, text, "must be > 0s")


def _connection_errors(connection: Connection, path: Path) -> Iterator[FieldError]:
    kind, file = connection.type, connection.kube_config_file
    if not kind:
        yield fields.required(path.child("type"), "")
    elif kind == "InClusterConfig":
        if file is not None:
            yield fields.invalid(path.child("kubeConfigFile"), file, "can only be set when type=KubeConfigFile")
        yield fields.invalid(path.child("type"), kind, "the API server itself is in no cluster: use KubeConfigFile")
    elif kind != "KubeConfigFile":
        yield fields.not_supported(path.child("type"), kind, ["InClusterConfig", "KubeConfigFile"])
    elif not file:
        yield fields.required(path.child("kubeConfigFile"), "")
    elif not file.startswith("/"):
        yield fields.invalid(path.child("kubeConfigFile"), file, "must be an absolute path")
    elif not FilePath(file).exists():
        words = f"error loading file: stat {file}: no such file or directory"
        yield fields.invalid(path.child("kubeConfigFile"), file, words)
    elif not FilePath(file).is_file():
        yield fields.invalid(path.child("kubeConfigFile"), file, "must be a regular file")
