"""The one error of the API: a `Status` with upstream's code, reason and words, raised and sent as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.api.field import FieldError, aggregate, quote

OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


class StatusError(Exception):
    """A failed API call. `reason` is empty for errors that upstream gives no reason."""

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: dict[str, Any] | None = None if details is None else dict(details)

    @property
    def status(self) -> dict[str, Any]:
        """The `Status` object that goes over the wire; a new tree each time."""
        tree: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        if self.message:
            tree["message"] = self.message
        if self.reason:
            tree["reason"] = self.reason
        if self.details is not None:
            tree["details"] = dict(self.details)
        tree["code"] = self.code
        return tree

    @property
    def causes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (self.details or {}).get("causes", [])
        return found

    @property
    def retry_after_seconds(self) -> int | None:
        """What the server asks the client to wait; goes into the `Retry-After` header."""
        found: int | None = (self.details or {}).get("retryAfterSeconds")
        return found


def from_status(tree: Mapping[str, Any], code: int = 500) -> StatusError:
    """The error that a received `Status` stands for; `code` is for a status that does not carry its own."""
    return StatusError(tree.get("code", code), tree.get("reason", ""), tree.get("message", ""), tree.get("details"))


def _details(kind: str, group: str = "", name: str = "") -> dict[str, Any]:
    """`StatusDetails` without its empty fields; `kind` is a resource's plural, or a kind for invalid objects."""
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    return details


def _qualified(name: str, group: str) -> str:
    return f"{name}.{group}" if group else name


def not_found(group: str, resource: str, name: str) -> StatusError:
    message = f"{_qualified(resource, group)} {quote(name)} not found"
    return StatusError(404, "NotFound", message, _details(resource, group, name))


def page_not_found() -> StatusError:
    """A path that no resource is served at."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str) -> StatusError:
    message = f"{_qualified(resource, group)} {quote(name)} already exists"
    return StatusError(409, "AlreadyExists", message, _details(resource, group, name))


def generate_name_conflict(group: str, resource: str, name: str) -> StatusError:
    """The generated name is taken, and further tries did not help."""
    message = (
        f"{_qualified(resource, group)} {quote(name)} already exists, "
        "the server was not able to generate a unique name for the object"
    )
    details = _details(resource, group, name) | {"retryAfterSeconds": 1}
    return StatusError(409, "AlreadyExists", message, details)


OBJECT_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, resource: str, name: str, cause: str = OBJECT_MODIFIED) -> StatusError:
    message = f"Operation cannot be fulfilled on {_qualified(resource, group)} {quote(name)}: {cause}"
    return StatusError(409, "Conflict", message, _details(resource, group, name))


def apply_conflict(causes: Sequence[Mapping[str, str]], message: str) -> StatusError:
    """Fields that other managers own stand against a server-side apply; one cause for each field."""
    return StatusError(409, "Conflict", message, {"causes": [dict(cause) for cause in causes]})


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """An object that was understood, but breaks rules; the causes name each field."""
    message = f"{_qualified(kind, group)} {quote(name)} is invalid"
    if errors:
        message += f": {aggregate(errors)}"
    details = _details(kind, group, name)
    if errors:
        details["causes"] = [error.cause for error in errors]
    return StatusError(422, "Invalid", message, details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, resource: str, name: str, cause: str) -> StatusError:
    """Refused by authorization, admission or quota. Without a resource (a bare path) only the cause is told."""
    if not resource:
        message = f"forbidden: {cause}"
    elif not name:
        message = f"{_qualified(resource, group)} is forbidden: {cause}"
    else:
        message = f"{_qualified(resource, group)} {quote(name)} is forbidden: {cause}"
    return StatusError(403, "Forbidden", message, _details(resource, group, name))


def method_not_supported(group: str, resource: str, action: str) -> StatusError:
    """The resource has no such operation; for a verb that no handler exists for: `method_not_allowed`."""
    message = f"{action} is not supported on resources of kind {quote(_qualified(resource, group))}"
    return StatusError(405, "MethodNotAllowed", message, _details(resource, group))


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def too_many_requests(
    message: str, retry_after_seconds: int = 0, causes: Sequence[Mapping[str, str]] = ()
) -> StatusError:
    details: dict[str, Any] = {}
    if causes:
        details["causes"] = [dict(cause) for cause in causes]
    if retry_after_seconds:
        details["retryAfterSeconds"] = retry_after_seconds
    return StatusError(429, "TooManyRequests", message, details)


def timeout(cause: str, retry_after_seconds: int = 0) -> StatusError:
    details = {"retryAfterSeconds": retry_after_seconds} if retry_after_seconds else {}
    return StatusError(504, "Timeout", f"Timeout: {cause}", details)


def internal(cause: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {cause}", {"causes": [{"message": cause}]})


def unexpected(message: str) -> StatusError:
    """A failure that upstream answers with a plain 500 without a reason."""
    return StatusError(500, "", message)


def gone(message: str) -> StatusError:
    return StatusError(410, "Gone", message)


def expired(message: str) -> StatusError:
    """A resource version or continue token that is no longer known: list again."""
    return StatusError(410, "Expired", message)


def request_entity_too_large(cause: str) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {cause}")


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def is_not_found(error: BaseException) -> bool:
    return isinstance(error, StatusError) and (error.reason == "NotFound" or error.code == 404)


def is_already_exists(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "AlreadyExists"


def is_conflict(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "Conflict"


def is_invalid(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "Invalid"


def is_forbidden(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.code == 403


def is_expired(error: BaseException) -> bool:
    """Whether a list or watch has to start anew."""
    return isinstance(error, StatusError) and error.code == 410


def is_namespace_terminating(error: BaseException) -> bool:
    """Whether a create was refused because its namespace is being deleted: no retry can help."""
    return is_forbidden(error) and any(
        cause.get("reason") == "NamespaceTerminating" for cause in getattr(error, "causes", ())
    )


def is_retriable(error: BaseException) -> bool:
    """Whether the same call may succeed later with nothing changed by the caller."""
    return isinstance(error, StatusError) and (error.code in (429, 503, 504) or error.reason == "ServerTimeout")
