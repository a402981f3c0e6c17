"""What the query (and the body of a DELETE) may ask of a write."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from pybernetes.api import field as fields
from pybernetes.api.caching import short_cache
from pybernetes.api.errors import bad_request, invalid
from pybernetes.api.field import ErrorList, Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.metadata import validate_manager
from pybernetes.apiserver.http.message import Request
from pybernetes.wire.numbers import parse_number

FIELD_VALIDATIONS: Final = ("Ignore", "Warn", "Strict")
MAX_MANAGER_BYTES: Final = 128


class WriteOptions(Struct, frozen=True):
    """Create-, Update- and PatchOptions as one; `manager` is who managedFields name."""

    dry_run: bool = False
    manager: str = ""
    field_validation: str = "Warn"
    force: bool | None = None
    given: Tree = field(default_factory=dict)
    """As admission sees them."""


def write_options(request: Request, kind: str, *, apply: bool = False) -> WriteOptions:
    """Options of a query; `kind` (CreateOptions ...) is named in errors. Raises StatusError 422."""
    if not request.query_string and not apply:
        return WriteOptions(manager=user_agent_manager(request))
    errors: ErrorList = []
    dry_runs = request.query.get("dryRun", [])
    if any(value != "All" for value in dry_runs):
        errors.append(fields.not_supported(Path("dryRun"), dry_runs, ["All"]))
    manager = request.parameter("fieldManager")
    errors += check_manager(manager)
    validation = request.parameter("fieldValidation")
    if validation not in ("", *FIELD_VALIDATIONS):
        errors.append(fields.not_supported(Path("fieldValidation"), validation, ["", "Ignore", "Strict", "Warn"]))
    force = _boolean(request.parameter("force")) if "force" in request.query else None
    if kind == "PatchOptions":
        if apply and not manager:
            errors.append(fields.required(Path("fieldManager"), "is required for apply patch"))
        if not apply and force is not None:
            errors.append(fields.forbidden(Path("force"), "may not be specified for non-apply patch"))
    if errors:
        raise invalid("meta.k8s.io", kind, "", errors)
    given: Tree = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if dry_runs:
        given["dryRun"] = dry_runs
    if manager:
        given["fieldManager"] = manager
    if validation:
        given["fieldValidation"] = validation
    if force is not None:
        given["force"] = force
    return WriteOptions(bool(dry_runs), manager or user_agent_manager(request), validation or "Warn", force, given)


def check_manager(manager: str) -> ErrorList:
    """What is wrong with a field manager's name."""
    return list(validate_manager(manager, Path("fieldManager")))


def user_agent_manager(request: Request) -> str:
    """Who a client is that does not say: its User-Agent up to the first slash."""
    return _agent_name(request.headers.get("user-agent", ""))


@short_cache(512)
def _agent_name(user_agent: str) -> str:
    agent = user_agent.partition("/")[0]
    printable = "".join(char for char in agent if char.isprintable())
    return printable.encode()[:MAX_MANAGER_BYTES].decode(errors="ignore")


def _boolean(text: str) -> bool:
    """A query parameter as upstream reads it: present means true, but for "false" and "0"."""
    return text.lower() not in ("false", "0")


class DeleteOptions(Struct, frozen=True):
    """How to delete. What is None was not given: an empty uid is one that no object has."""

    dry_run: bool = False
    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation: str = ""
    orphan_dependents: bool | None = None
    given: Tree = field(default_factory=dict)


def delete_options(tree: Tree) -> DeleteOptions:
    """DeleteOptions out of the body, or the query. Raises StatusError 422."""
    errors: ErrorList = []
    policy = tree.get("propagationPolicy")
    orphan = tree.get("orphanDependents")
    if policy is not None and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(fields.invalid(Path("propagationPolicy"), policy, detail))
    if policy not in (None, "Foreground", "Background", "Orphan"):
        errors.append(fields.not_supported(Path("propagationPolicy"), policy, ["Foreground", "Background", "Orphan", "nil"]))  # fmt: skip
    dry_runs = tree.get("dryRun") or []
    if any(value != "All" for value in dry_runs):
        errors.append(fields.not_supported(Path("dryRun"), dry_runs, ["All"]))
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
    preconditions = tree.get("preconditions") or {}
    return DeleteOptions(
        dry_run=bool(dry_runs),
        grace_seconds=tree.get("gracePeriodSeconds"),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        propagation=policy or "",
        orphan_dependents=orphan,
        given=tree,
    )


def parse_integer(text: str) -> int:
    """A whole number in a query. Raises StatusError 400."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    why = "invalid syntax"
    if digits.isascii() and digits.isdecimal():
        number = parse_number(digits.lstrip("0") or "0")
        if number is not None:
            return -number if text[0] == "-" else number
        why = "value out of range"
    raise bad_request(f"strconv.ParseInt: parsing {fields.quote(text)}: {why}")


def delete_query(request: Request) -> Tree:
    """DeleteOptions as a query gives them. Raises StatusError 400."""
    tree: Tree = {}
    query = request.query
    if "gracePeriodSeconds" in query:
        text = request.parameter("gracePeriodSeconds")
        tree["gracePeriodSeconds"] = parse_integer(text)
    if "propagationPolicy" in query:
        tree["propagationPolicy"] = request.parameter("propagationPolicy")
    if "orphanDependents" in query:
        tree["orphanDependents"] = _boolean(request.parameter("orphanDependents"))
    if "dryRun" in query:
        tree["dryRun"] = query["dryRun"]
    named = {"uid": request.parameter("uid"), "resourceVersion": request.parameter("resourceVersion")}
    if preconditions := {key: text for key, text in named.items() if text}:
        tree["preconditions"] = preconditions
    return tree
