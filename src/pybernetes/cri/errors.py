"""The one error tree of the CRI seam; each leaf names the gRPC status code that it travels as."""


class CRIError(Exception):
    """Base of everything a RuntimeService or ImageService raises."""

    code = "UNKNOWN"


class NotFoundError(CRIError):
    """The sandbox or container does not exist."""

    code = "NOT_FOUND"


class ImageNotFoundError(NotFoundError):
    """The image is not present (create_container), or its registry does not have it (pull_image)."""


class PullError(CRIError):
    """The image could not be pulled; the message is the registry's or the network's."""


class InvalidError(CRIError):
    """The request cannot be carried out as it stands: malformed name, unknown handler, unsupported field."""

    code = "INVALID_ARGUMENT"


class StartError(CRIError):
    """The container's process could not be started; the message says why in runc's words."""


class DeadlineError(CRIError):
    """The command did not end in time."""

    code = "DEADLINE_EXCEEDED"


class UnavailableError(CRIError):
    """The runtime cannot be reached."""

    code = "UNAVAILABLE"
