"""What one probe found."""

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """Success, or a failure with the words for the event."""

    ok: bool
    output: str = ""
    warning: bool = False
    """A success that somebody should hear of."""


class ActionError(Exception):
    """The action could not be carried out at all (not: it was carried out and failed)."""
