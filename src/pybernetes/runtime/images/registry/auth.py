"""Proving who we are: Basic, and Bearer tokens from the realm that the registry names (distribution's token spec)."""

from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from pybernetes.runtime.images.registry.challenge import Challenge
from pybernetes.runtime.images.registry.credentials import Credential
from pybernetes.runtime.images.registry.errors import DeniedError, RegistryError
from pybernetes.runtime.images.registry.http import Http

_TOKEN_LIMIT = 1 << 20
_CLIENT_ID = "pybernetes"


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


class Question(Struct, frozen=True):
    """What a registry asked, and of whom: the answer depends on nothing else."""

    url: str
    scope: str
    credential: Credential | None


async def authorization(http: Http, question: Question, challenges: list[Challenge], wanted: str = "pull") -> str:
    """The Authorization header that answers a 401. Raises DeniedError if we have nothing to answer with."""
    schemes = {challenge.scheme: challenge for challenge in reversed(challenges)}
    credential = question.credential
    if bearer := schemes.get("bearer"):
        if credential and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        return f"Bearer {await _fetch_token(http, question, bearer)}"
    if "basic" in schemes and credential and credential.username:
        return credential.basic()
    raise DeniedError(
        server_message(challenges), wanted, lack="no basic auth credentials" if "basic" in schemes else ""
    )


def server_message(challenges: list[Challenge]) -> str:
    """What the registry said is wrong, for example `insufficient_scope`."""
    return next((error for challenge in challenges if (error := challenge.parameters.get("error"))), "")


async def _fetch_token(http: Http, question: Question, challenge: Challenge) -> str:
    realm, credential = challenge.parameters.get("realm", ""), question.credential
    _check_realm(realm, question.url)
    scope = challenge.parameters.get("scope") or question.scope
    query = {"service": challenge.parameters.get("service", ""), "scope": scope}
    if credential and credential.identity_token:
        form = {**query, "grant_type": "refresh_token", "client_id": _CLIENT_ID}
        form["refresh_token"] = credential.identity_token
        answer = await http.send("POST", realm, form=form)
    else:
        headers = {"Authorization": credential.basic()} if credential and credential.username else {}
        answer = await http.send(
            "GET", realm, query={key: text for key, text in query.items() if text}, headers=headers
        )
    async with answer:
        if answer.status != 200:
            kind = "oauth" if credential else "anonymous"
            raise RegistryError(
                f"failed to authorize: failed to fetch {kind} token: "
                f"unexpected status from {answer.what}: {answer.reason}"
            )
        try:
            token = msgspec.json.decode(await answer.read(_TOKEN_LIMIT), type=_Token)
        except msgspec.DecodeError as error:
            raise RegistryError(f"failed to authorize: unable to decode token response: {error}") from error
    if text := token.token or token.access_token:
        return text
    raise RegistryError("failed to authorize: authorization server did not include a token in the response")


def _check_realm(realm: str, url: str) -> None:
    """A registry spoken to in TLS may not have our password sent in plain text."""
    scheme = urlsplit(realm).scheme
    if scheme not in ("http", "https") or (scheme == "http" and urlsplit(url).scheme == "https"):
        raise RegistryError(f"failed to authorize: token realm {realm!r} is not an https URL")
