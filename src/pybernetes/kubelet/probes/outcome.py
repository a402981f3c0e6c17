"""What one probe found."""

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """Success, or a failure with the words for the event."""

    ok: bool
    output: str = ""


class ActionError(Exception):
    """The action could not be carried out at all (not: it was carried out and failed)."""
