"""What only containers on Windows have: their users, their credentials, processes of the host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.kinds import Errors
from pybernetes.api.validation.metadata import complain

_MAX_CREDENTIALS: Final = 64 * 1024
_MAX_DOMAIN, _MAX_USER = 255, 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_USER_CHARACTERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def validate_windows_options(options: Tree, path: Path) -> Errors:
    name, credentials = options.get("gmsaCredentialSpecName"), options.get("gmsaCredentialSpec")
    if name is not None:
        yield from complain(path.child("gmsaCredentialSpecName"), name, names.dns1123_subdomain(name))
    if credentials == "":
        detail = "gmsaCredentialSpec cannot be an empty string"
        yield field.invalid(path.child("gmsaCredentialSpec"), credentials, detail)
    elif credentials is not None and len(credentials.encode()) > _MAX_CREDENTIALS:
        detail = "gmsaCredentialSpec size must be under 64 KiB"
        yield field.invalid(path.child("gmsaCredentialSpec"), credentials, detail)
    user = options.get("runAsUserName")
    if user is not None:
        yield from complain(path.child("runAsUserName"), user, tuple(_user_complaints(user)))


def _user_complaints(text: str) -> Iterator[str]:
    if not text:
        yield "runAsUserName cannot be an empty string"
    elif _CONTROL.search(text):
        yield "runAsUserName cannot contain control characters"
    elif text.count("\\") > 1:
        yield "runAsUserName cannot contain more than one backslash"
    else:
        domain, backslash, user = text.rpartition("\\")
        if len(domain.encode()) > _MAX_DOMAIN:
            yield f"runAsUserName's Domain length must be under {_MAX_DOMAIN + 1} characters"
        if backslash and not (_NET_BIOS.fullmatch(domain) or _DNS.fullmatch(domain)):
            yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
        if not user:
            yield "runAsUserName's User cannot be empty"
        elif len(user.encode()) > _MAX_USER:
            yield f"runAsUserName's User length must not be longer than {_MAX_USER} characters"
        if user and not user.strip(". "):
            yield "runAsUserName's User cannot contain only periods or spaces"
        if _USER_CHARACTERS.search(user):
            yield r"""runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"""


def validate_host_processes(spec: Tree, path: Path) -> Errors:
    """Containers whose processes are the host's: all of a pod or none, and in the host's network."""
    whole = _is_host_process(spec)
    found: list[bool] = []
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            own = _is_host_process(container)
            if whole is not None and own is not None and whole != own:
                at = path.child(kind).index(index).child("securityContext", "windowsOptions", "hostProcess")
                said = str(whole).lower()
                detail = f"pod hostProcess value must be identical if both are specified, was {said}"
                yield field.invalid(at, own, detail)
            found.append(bool(whole if own is None else own))
    if not any(found):
        return
    if not all(found):
        detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        yield field.invalid(path, "", detail)
    if not spec.get("hostNetwork"):
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        yield field.invalid(path.child("hostNetwork"), False, detail)


def _is_host_process(owner: Tree) -> bool | None:
    options = (owner.get("securityContext") or {}).get("windowsOptions") or {}
    said: bool | None = options.get("hostProcess")
    return said
