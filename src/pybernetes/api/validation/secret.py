"""Secrets: their keys, and what their types ask for."""

from __future__ import annotations

import json
from base64 import b64decode

from pybernetes.api import field, names
from pybernetes.api.field import ROOT, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.config_map import MAX_SIZE, decoded_size, validate_immutable
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable
from pybernetes.api.validation.metadata import METADATA, complain

_DATA = ROOT.child("data")
_ACCOUNT = "kubernetes.io/service-account.name"
_DOCKER_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}


def _create(secret: Tree) -> Errors:
    data = secret.get("data") or {}
    size = 0
    for key, encoded in data.items():
        yield from complain(_DATA.key(key), key, names.config_map_key(key))
        size += decoded_size(encoded)
    if size > MAX_SIZE:
        yield field.too_long(_DATA, MAX_SIZE)
    yield from _validate_type(secret.get("type", ""), secret, data)


def _validate_type(kind: str, secret: Tree, data: dict[str, str]) -> Errors:
    if kind == "kubernetes.io/service-account-token":
        if not (secret["metadata"].get("annotations") or {}).get(_ACCOUNT):
            yield field.required(METADATA.child("annotations").key(_ACCOUNT))
    elif kind in _DOCKER_KEYS:
        yield from _validate_docker(data.get(_DOCKER_KEYS[kind]), _DATA.key(_DOCKER_KEYS[kind]))
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            yield field.required(_DATA.key("username"))
            yield field.required(_DATA.key("password"))
    elif kind == "kubernetes.io/ssh-auth":
        if not data.get("ssh-privatekey"):
            yield field.required(_DATA.key("ssh-privatekey"))
    elif kind == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in data:
                yield field.required(_DATA.key(key))


def _validate_docker(encoded: str | None, path: Path) -> Errors:
    if encoded is None:
        yield field.required(path)
        return
    try:
        json.loads(b64decode(encoded))
    except ValueError as error:
        yield field.invalid(path, "<secret contents redacted>", _json_complaint(error))


def _json_complaint(error: ValueError) -> str:
    """Go's words for where its JSON parser gives up."""
    if not isinstance(error, json.JSONDecodeError):
        return "invalid character '\ufffd' looking for beginning of value"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    return f"invalid character '{error.doc[error.pos]}' looking for beginning of value"


def _update(new: Tree, old: Tree) -> Errors:
    yield from immutable(new.get("type"), old.get("type"), ROOT.child("type"))
    yield from validate_immutable(new, old, "data")


RULES: RulesTable = {("", "secrets"): Rules(_create, _update, whole_looks=1)}
