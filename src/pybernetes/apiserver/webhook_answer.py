"""What the answer of a webhook's server says, in the words of upstream's client: the JSON in it, or what is wrong."""

from __future__ import annotations

from typing import Any, Final

from pybernetes.api.errors import StatusError
from pybernetes.api.field import quote
from pybernetes.apiserver.json_errors import JSONError, parse_json
from pybernetes.apiserver.yaml import from_yaml

_WORDS: Final = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
_MAX_TEXT: Final = 2048


class CallError(Exception):
    """No usable answer; the text says why, as upstream does behind "failed to call webhook: "."""


def read_answer(status: int, media: str, body: bytes) -> Any:
    """The JSON (or YAML) of an answer. Raises CallError."""
    if not 200 <= status <= 206:
        raise CallError(_told(body) or _words(status, _text(media, body)))
    if not body.strip():
        shown = media or "application/json"
        raise CallError(f"0-length response with status code: {status} and content type: {shown}")
    try:
        found = _parsed(body)
    except ValueError as error:
        raise CallError(str(error)) from error
    return found


def _parsed(body: bytes) -> Any:
    """Raises ValueError."""
    if body.lstrip()[:1] == b"{":
        try:
            return parse_json(body)
        except (JSONError, StatusError) as error:
            raise ValueError(f"couldn't get version/kind; json parse error: {error}") from error
    return from_yaml(body)


def _told(body: bytes) -> str:
    """What a Status in the body says."""
    try:
        found = _parsed(body)
    except ValueError:
        return ""
    if not isinstance(found, dict) or (found.get("kind"), found.get("apiVersion")) != ("Status", "v1"):
        return ""
    return "" if found.get("status") == "Success" else str(found.get("message") or "unknown")


def _words(status: int, text: str) -> str:
    if status in (403, 415):
        return text
    if status == 406:
        words = "the server was unable to respond with a content type that the client supports"
        return words if text in ("", "unknown") else text
    if status in _WORDS:
        return _WORDS[status]
    if status >= 500:
        return f"an error on the server ({quote(text)}) has prevented the request from succeeding"
    return f"the server responded with the status code {status} but did not return more information"


def _text(media: str, body: bytes) -> str:
    if media and not media.startswith("text/"):
        return "unknown"
    return body[:_MAX_TEXT].decode("utf-8", "replace").strip()
