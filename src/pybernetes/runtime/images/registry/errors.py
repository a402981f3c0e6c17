"""What can go wrong with a registry, in the words that users know from other runtimes' events."""


class RegistryError(Exception):
    """The registry could not be asked, or gave no usable answer."""


class UnknownImageError(RegistryError):
    """The registry has no such repository, tag or digest."""


class DeniedError(RegistryError):
    """The registry does not let us."""

    def __init__(self, server_message: str = "", wanted: str = "pull", lack: str = "") -> None:
        said = f"server message: {server_message}: " if server_message else ""
        lacking = f": {lack}" if lack else ""
        super().__init__(
            f"{wanted} access denied, repository does not exist or may require authorization: "
            f"{said}authorization failed{lacking}"
        )


class WrongCredentialsError(DeniedError):
    """The registry knows who we say we are, and does not believe it. `what` is the request."""

    def __init__(self, what: str) -> None:
        RegistryError.__init__(self, f"unexpected status from {what}: 401 Unauthorized")


class StatusError(RegistryError):
    """An answer that is neither the thing asked for nor a refusal."""

    def __init__(self, method: str, url: str, status: str, detail: str = "") -> None:
        super().__init__(f"unexpected status from {method} request to {url}: {status}{detail and ': ' + detail}")


class NetworkError(RegistryError):
    """The registry cannot be reached, or went away."""

    def __init__(self, method: str, url: str, cause: str) -> None:
        super().__init__(f'failed to do request: {method.capitalize()} "{url}": {cause}')
