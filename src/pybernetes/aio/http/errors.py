"""What can go wrong in an exchange."""


class HTTPError(Exception):
    """The exchange broke off: the request may or may not have had its effect."""


class DisconnectedError(HTTPError):
    """The server closed the connection before its answer was complete."""


class ConnectError(HTTPError):
    """Nobody answers there: nothing was sent. The cause is the OSError, if there was one."""


class SilentError(HTTPError):
    """The server did not answer in time."""
