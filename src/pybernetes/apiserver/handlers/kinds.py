"""Whether an object is of the kind that the path says, by its own word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pybernetes.api.decode import DecodeError, decode, json_type
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.api.field import go_json, quote
from pybernetes.api.pruning import META
from pybernetes.api.schema import schema_for, schema_of
from pybernetes.api.scheme import resources, split_api_version
from pybernetes.api.tree import Tree
from pybernetes.apiserver.handlers.body import unrecognized
from pybernetes.apiserver.handlers.registered import is_registered, scheme_of

Report: TypeAlias = Callable[[list[str], Callable[[str], StatusError]], None]
"""Tells the client of unknown fields, or raises what the function makes of the words for them."""


def check_type(
    tree: Tree,
    api_version: str,
    kind: str,
    *,
    custom: bool,
    body: bytes | None = None,
    report: Report | None = None,
) -> None:
    """apiVersion and kind must be the path's; absent ones are. Raises StatusError 400.

    Of a custom resource the kind is for its validation to judge.

    What is of another version was read before that is noticed: `report` tells of its fields.
    """
    given_version, given_kind = _told(_found(tree, "apiVersion"), api_version), _told(_found(tree, "kind"), kind)
    if words := _unreadable(given_version, given_kind):
        raise unrecognized(kind, words, body)
    if custom:
        _check_told(tree, api_version, kind, body)
        given_version = given_version.removeprefix("/")
    else:
        given_version = meant_version(given_version, api_version)
    if given_version == api_version and given_kind == kind:
        return
    _, version = split_api_version(given_version)
    if custom and given_version == api_version:
        return  # its validation tells
    refusal = f"{given_kind} in version {quote(version)} cannot be handled as a {kind}: "
    if not given_version:
        raise bad_request(refusal + missing("apiVersion", tree, body))
    if not custom and (unknown := _unregistered(given_version, given_kind, scheme_of(api_version))):
        raise bad_request(refusal + unknown)
    is_same = _internal(given_version, given_kind) == _internal(api_version, kind)
    if is_same and not custom and report is not None:
        report(_unknown_fields(tree, given_version, api_version, kind), lambda why: bad_request(refusal + why))
    if custom and report is not None:
        report(_unknown_of_metadata(tree), lambda why: bad_request(refusal + why))
    if custom or is_same:
        raise bad_request(
            f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        )
    raise bad_request(refusal + _other_kind(tree, given_version, given_kind, api_version, kind))


def _other_kind(tree: Tree, given_version: str, given_kind: str, api_version: str, kind: str) -> str:
    """The words for an object of another kind: it is read as what it says, before that is noticed."""
    group = split_api_version(given_version)[0]
    versions = [one.api_version for one in resources() if (one.group, one.kind) == (group, given_kind)]
    try:  # of versions that are not served there is no schema, but near ones
        decode(schema_of(given_version if given_version in versions else versions[0], given_kind), tree)
    except (KeyError, IndexError):
        pass
    except DecodeError as error:
        return str(error)
    return _unconvertible(given_version, given_kind, api_version, kind)


def _unknown_fields(tree: Tree, given_version: str, api_version: str, kind: str) -> list[str]:
    """The fields that the object's own version does not know; of a version without a schema, the one that is served."""
    try:
        schema = schema_of(given_version, kind)
    except KeyError:
        schema = schema_of(api_version, kind)
    try:
        return decode(schema, tree).unknown
    except DecodeError:
        return []


def _unknown_of_metadata(tree: Tree) -> list[str]:
    """What of a custom resource is read before its version is looked at."""
    try:
        return [f"metadata.{path}" for path in decode(schema_for(META), tree.get("metadata") or {}).unknown]
    except DecodeError:
        return []


def _check_told(tree: Tree, api_version: str, kind: str, body: bytes | None) -> None:
    """Objects without a type of their own have to say what they are. Raises StatusError 400."""
    if not tree.get("kind"):
        raise unrecognized(kind, missing("Kind", tree, body), body)
    if not tree.get("apiVersion"):
        raise bad_request(f"the API version in the data () does not match the expected API version ({api_version})")


def missing(name: str, tree: Tree, body: bytes | None) -> str:
    """What is told of an object that does not say what it is."""
    shown = go_json(tree) if body is None or body[:1] not in b"{n" else body.decode(errors="replace")
    return f"Object '{name}' is missing in '{shown}'"


def meant_version(told: Any, api_version: str) -> Any:
    """The apiVersion that an object means which may name group or version alone ("apps/", "/v1").

    "" where it names no version and another group than is expected; what is no apiVersion stays.
    """
    if not isinstance(told, str) or told.count("/") != 1:
        return told
    group, version = split_api_version(told)
    if version:
        return told if group else version
    return api_version if group in ("", split_api_version(api_version)[0]) else ""


def _found(tree: Tree, name: str) -> Any:
    """What an object says of its type, last: upstream reads that, before all else, in whatever case it is written."""
    return next((tree[key] for key in reversed(tree) if key == name or key.lower() == name.lower()), None)


def _told(value: Any, otherwise: str) -> Any:
    """What an object says of its type, which may be anything; nothing is what is expected."""
    return otherwise if value is None or value == "" else value


def patched_type_problem(tree: Tree, api_version: str, kind: str) -> str:
    """Why what a patch made of a built-in object is none of its kind; "" if it is, in whatever version."""
    given_version, given_kind = _told(tree.get("apiVersion"), api_version), _told(tree.get("kind"), kind)
    given_version = meant_version(given_version, api_version)
    if given_version == api_version and given_kind == kind:
        return ""
    if not given_version:
        return missing("apiVersion", tree, None)
    if words := _unreadable(given_version, given_kind):
        return words
    if unknown := _unregistered(given_version, given_kind, scheme_of(api_version)):
        return unknown
    if _internal(given_version, given_kind) == _internal(api_version, kind):
        return ""
    return _other_kind(tree, given_version, given_kind, api_version, kind)


def _unreadable(api_version: object, kind: object) -> str:
    for name, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str):
            words = f"json: cannot unmarshal {json_type(value)} into Go struct field .{name} of type string"
            return f"couldn't get version/kind; json parse error: {words}"
    return f"unexpected GroupVersion string: {api_version}" if str(api_version).count("/") > 1 else ""


def _unregistered(api_version: str, kind: str, scheme: str) -> str:
    if is_registered(api_version, kind, scheme):
        return ""
    return f"no kind {quote(kind)} is registered for version {quote(api_version)} in scheme {quote(scheme)}"


def _unconvertible(given_version: str, given_kind: str, api_version: str, kind: str) -> str:
    version = split_api_version(given_version)[1]
    return f"converting ({version}.{given_kind}) to ({_internal(api_version, kind)}): unknown conversion"


def _internal(api_version: str, kind: str) -> str:
    """What upstream calls the form of a kind that all its versions have in common."""
    group = split_api_version(api_version)[0].partition(".")[0]
    if group == "extensions":  # where these kinds were before they got groups of their own
        group = next((one.group.partition(".")[0] for one in resources() if one.kind == kind), group)
    return f"{'core' if group in ('', 'events') else group}.{kind}"
