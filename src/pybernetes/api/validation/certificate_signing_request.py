"""Certificate signing requests."""

from __future__ import annotations

import re
from base64 import b64decode

from pybernetes.api import field, names
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.common import immutable
from pybernetes.api.validation.kinds import Errors, Rules, RulesTable

_SPEC, _STATUS = Path("spec"), Path("status")
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_REQUEST = re.compile(rb"-----BEGIN CERTIFICATE REQUEST-----.+-----END CERTIFICATE REQUEST-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_EXCLUSIVE = {"Approved", "Denied"}
_KEPT = ("Approved", "Denied", "Failed")
_LEGACY = "kubernetes.io/legacy-unknown"


def _create(request: Tree) -> Errors:
    spec = request["spec"]
    if not _REQUEST.search(b64decode(spec.get("request") or "")):
        detail = "PEM block type must be CERTIFICATE REQUEST"
        yield field.invalid(_SPEC.child("request"), spec.get("request"), detail)
    usages = spec.get("usages") or []
    if not usages:
        yield field.required(_SPEC.child("usages"))
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            yield field.not_supported(_SPEC.child("usages").index(index), usage, _USAGES)
        elif usage in usages[:index]:
            yield field.duplicate(_SPEC.child("usages").index(index), usage)
    yield from _validate_signer(spec.get("signerName", ""))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        yield field.invalid(
            _SPEC.child("expirationSeconds"), seconds, "may not specify a duration less than 600 seconds (10 minutes)"
        )


def _validate_signer(signer: str) -> Errors:
    path = _SPEC.child("signerName")
    if not signer:
        yield field.required(path)
        return
    if signer == _LEGACY:
        yield field.invalid(path, signer, "the legacy signerName is not allowed via this API version")
        return
    domain, slash, rest = signer.partition("/")
    if not slash or "/" in rest:
        yield field.invalid(
            path, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        )
        return
    labels = domain.split(".")
    if len(domain) > names.DNS1123_SUBDOMAIN_MAX:
        yield field.too_long(path, names.DNS1123_SUBDOMAIN_MAX)
    yield from _validate_labels(path, domain, names.dns1123_label)
    if len(labels) < 2:
        yield field.invalid(path, domain, "should be a domain with at least two segments separated by dots")
    yield from _validate_labels(path, rest, names.dns1123_subdomain)


def _validate_labels(path: Path, part: str, check: names.Check) -> Errors:
    """Of the labels between dots the first wrong one alone is told."""
    for label in part.split("."):
        if complaints := check(label):
            for complaint in complaints:
                yield field.invalid(path, part, f"validating label {field.quote(label)}: {complaint}")
            return


def _update(new: Tree, old: Tree) -> Errors:
    yield from immutable(new["spec"], old["spec"], _SPEC)


def _validate_conditions(new: Tree, old: Tree) -> Errors:
    status = new.get("status") or {}
    path = _STATUS.child("conditions")
    kinds = [condition.get("type", "") for condition in status.get("conditions") or ()]
    for index, condition in enumerate(status.get("conditions") or ()):
        kind, at = condition.get("type", ""), path.index(index)
        if not kind:
            yield field.required(at.child("type"))
        value, known = condition.get("status", ""), ("True",) if kind in _KEPT else ("False", "True", "Unknown")
        if not value:
            yield field.required(at.child("status"))
        elif value not in known:
            yield field.not_supported(at.child("status"), value, known)
        if kind in _EXCLUSIVE and (_EXCLUSIVE - {kind}) <= set(kinds[:index]):
            detail = "Approved and Denied conditions are mutually exclusive"
            yield field.invalid(path, kind, detail)
        if kind in kinds[:index]:
            yield field.duplicate(at.child("type"), kind)
    for kind in _KEPT:
        if len(_of_type(new, kind)) < len(_of_type(old, kind)):
            yield field.forbidden(path, f"updates may not remove a condition of type {field.quote(kind)}")


def _of_type(request: Tree, kind: str) -> list[Tree]:
    conditions = (request.get("status") or {}).get("conditions") or ()
    return [condition for condition in conditions if condition.get("type", "") == kind]


def _update_approval(new: Tree, old: Tree) -> Errors:
    yield from _validate_conditions(new, old)


def _update_status(new: Tree, old: Tree) -> Errors:
    yield from _validate_conditions(new, old)
    for kind in ("Approved", "Denied"):
        if len(_of_type(new, kind)) > len(_of_type(old, kind)):
            detail = f"updates may not add a condition of type {field.quote(kind)}"
            yield field.forbidden(_STATUS.child("conditions"), detail)
    path = _STATUS.child("certificate")
    now, before = (new.get("status") or {}).get("certificate"), (old.get("status") or {}).get("certificate")
    if before and now != before:
        yield field.forbidden(path, "updates may not modify existing certificate content")
    elif now and not _CERTIFICATE.search(b64decode(now)):
        yield field.invalid(path, "<certificate data>", "must contain at least one CERTIFICATE PEM block")


RULES: RulesTable = {
    ("certificates.k8s.io", "certificatesigningrequests"): Rules(
        _create,
        _update,
        names.path_segment,
        subresources={"approval": _update_approval, "status": _update_status},
        whole_looks=1,
        part_looks={"approval": (1, 1), "status": (1, 1)},
    ),
}
