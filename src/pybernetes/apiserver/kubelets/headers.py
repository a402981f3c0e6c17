"""Which headers travel on. Pure."""

from collections.abc import Iterable

from pybernetes.apiserver.stages.authenticate.bearer import WEBSOCKET_PROTOCOL

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "host",
    )
)
CREDENTIALS = frozenset(("authorization",))


def forwarded(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a request (or answer) without those of its connection and of its sender's identity."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in HOP_BY_HOP
        and name.lower() not in CREDENTIALS
        and not name.lower().startswith("impersonate-")
    ]


def forwarded_upgrade(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """As `forwarded`, with the upgrade asked for, and without a token among the WebSocket's protocols."""
    given = list(headers)
    kept = [(name, value) for name, value in forwarded(given) if name.lower() != "sec-websocket-protocol"]
    for name, value in given:
        if name.lower() == "sec-websocket-protocol":
            protocols = [each.strip() for each in value.split(",")]
            listed = ", ".join(each for each in protocols if not each.startswith(WEBSOCKET_PROTOCOL))
            if listed:
                kept.append((name, listed))
        elif name.lower() == "upgrade":
            kept += [("Connection", "Upgrade"), ("Upgrade", value)]
    return kept


def is_upgrade(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the request asks to change protocols."""
    tokens = [
        token.strip().lower() for name, value in headers if name.lower() == "connection" for token in value.split(",")
    ]
    return "upgrade" in tokens
