"""From a patch and the stored object to the object to be stored, for each kind of patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from pybernetes.api import errors
from pybernetes.api import field as fields
from pybernetes.api.decode import DecodeError, duplicate_fields, field_warnings, json_type, restored
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.api.field import Path, go_json
from pybernetes.api.patch import go_text, written
from pybernetes.api.patch.apply import group_version_kind
from pybernetes.api.patch.json_patch import json_patch, unknown_fields
from pybernetes.api.patch.merge import merge_patch
from pybernetes.api.patch.strategic import spent, strategic_patch
from pybernetes.api.schema import Json
from pybernetes.api.scheme import split_api_version
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import as_typed, cannot_handle, check_identity, report_strictness
from pybernetes.apiserver.handlers.kinds import patched_type_problem
from pybernetes.apiserver.json_errors import JSONError, parse_json
from pybernetes.apiserver.ownership import owned, to_be_stored
from pybernetes.apiserver.registry.field_managers import field_manager
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.scale_ownership import applied_view
from pybernetes.apiserver.yaml import from_yaml, repeated_keys

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


class Patcher(Protocol):
    """One kind of patch; `creates` if it may make the object."""

    creates: bool

    def begin(self, body: bytes, options: WriteOptions) -> None:
        """Read the patch. Raises StatusError."""
        ...

    def make(self, current: Item | None) -> Tree:
        """The object to be stored, in the storage version. Raises StatusError."""
        ...


def patcher_for(call: Call, media: str) -> Patcher:
    """Raises StatusError 415."""
    kinds = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH) if call.served.custom else PATCHES
    if media == APPLY_PATCH:
        return ApplyPatcher(call)
    if media not in kinds:
        if call.served.custom:
            raise errors.unsupported_media_type(kinds)
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return BodyPatcher(call, media)


class BodyPatcher:
    """JSON patch, merge patch and strategic merge patch: a function of the object as the client sees it."""

    creates = False

    def __init__(self, call: Call, media: str) -> None:
        self._call = call
        self._media = media

    def begin(self, body: bytes, options: WriteOptions) -> None:
        self._options = options
        self._unreadable: StatusError | None = None
        self._complaints: list[str] = []
        try:
            self._patch: Json = parse_json(body)  # type: ignore[assignment]  # JSON is what the parser makes
        except JSONError as error:
            words = str(error) if self._media == STRATEGIC_PATCH else f"error decoding patch: {error}"
            self._unreadable = bad_request(words)  # which is told once there is something to be patched
            return
        self._complaints = [] if options.field_validation == "Ignore" else self._strict_complaints(body)

    def _strict_complaints(self, body: bytes) -> list[str]:
        """What a strict reader says of the patch itself."""
        repeated = [] if msgspec.json.encode(self._patch) == body else duplicate_fields(body)
        if self._media != JSON_PATCH:
            return [f'duplicate field "{path}"' for path in repeated]
        unknown = unknown_fields(self._patch)
        return [
            *(f'json patch unknown field "{path}"' for path in unknown),
            *(f'json patch duplicate field "{path}"' for path in repeated),
        ]

    def make(self, current: Item | None) -> Tree:
        assert current is not None
        if self._unreadable is not None:
            raise self._unreadable
        call = self._call
        # What the patch leaves alone becomes part of the result, which the caller may change; of a part's result only
        # the part itself is taken, and the rest of what is stored.
        shown = call.view(current.tree if call.served.custom or call.part is not None else current.decode())
        sent = Sent(self._media, self._patch, self._complaints)
        return typed_patched(call, self._patched(shown), shown, current, self._options, sent)

    def _patched(self, shown: Tree) -> Tree:
        made: Json
        if self._media == JSON_PATCH:
            made = json_patch(shown, self._patch)
        elif self._media == STRATEGIC_PATCH and self._call.schema is not None:
            made = strategic_patch(self._call.schema, shown, self._patch)
        elif not isinstance(self._patch, dict):
            if self._patch is None:
                raise bad_request("Invalid JSON Patch")
            kind = json_type(self._patch)
            raise bad_request(
                f"error decoding patch: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            )
        else:
            made = merge_patch(shown, self._patch)
        if not isinstance(made, dict):
            raise invalid_patch(go_json(shown), "the patched object is no object")
        return made


class Sent(Struct, frozen=True):
    """A patch of one of the three kinds; `complaints` are a strict reader's of it."""

    media: str
    patch: Json
    complaints: Sequence[str]

    def shown(self, patched: Tree) -> str:
        """What errors show: a strategic patch, as far as it has not been carried out, else the patched object."""
        return go_text.plain(spent(self.patch)) if self.media == STRATEGIC_PATCH else go_json(patched)

    def written(self, patched: Tree) -> Tree:
        """The patched object in the order of fields in which upstream decodes it."""
        made: Json = patched
        if self.media == MERGE_PATCH:
            made = written.after_merge(patched, self.patch)
        elif self.media == JSON_PATCH and isinstance(self.patch, list):
            operations = [one for one in self.patch if isinstance(one, dict)]
            pointers = [one.get(name) for one in operations for name in ("path", "from")]
            made = written.after_operations(patched, [one for one in pointers if isinstance(one, str)])
        return made if isinstance(made, dict) else patched


def typed_patched(call: Call, patched: Tree, known: Tree, current: Item, options: WriteOptions, sent: Sent) -> Tree:
    """A patched object, typed, defaulted and owned like one that was sent whole; `known` is what was patched."""
    given = patched = sent.written(patched)
    stood = None if call.own_view else known
    read = of_values if sent.media == STRATEGIC_PATCH else _of_text  # what values say of their type is never looked at
    try:
        made, unknown = read(call, patched, stood)
    except DecodeError as error:
        raise invalid_patch(sent.shown(patched), str(error)) from error
    in_order = sorted(unknown) if sent.media == STRATEGIC_PATCH else unknown
    found = [*sent.complaints, *field_warnings(in_order)]
    report_strictness(call.ctx, options, found, lambda text: invalid_patch(sent.shown(patched), text))
    check_identity(call, made)
    if call.served.custom and not call.own_view:
        _check_custom_type(call, given)
    return owned(call, made, current, options)


def of_values(
    call: Call, tree: Tree, known: Tree | None = None, *, states_null: bool = False
) -> tuple[Tree, list[str]]:
    """As `as_typed`, of values that were never text: what does not fit is read again as upstream does it.

    Nulls that were applied to a custom resource are for its validation.
    """
    if call.served.shape is not None and not call.own_view:
        return as_typed(call, tree, applied=states_null)
    try:
        return as_typed(call, tree, known)
    except DecodeError:
        if call.schema is None:
            raise
        return as_typed(call, restored(call.schema, tree), known)


def _has_null(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_has_null(held) for held in value.values())
    return value is None or (isinstance(value, list) and any(_has_null(item) for item in value))


def _of_text(call: Call, patched: Tree, known: Tree | None) -> tuple[Tree, list[str]]:
    """As `as_typed`, of an object that was written out and says itself what it is. Raises DecodeError."""
    if call.served.custom and not call.own_view:
        if not patched.get("kind"):
            raise DecodeError(f"Object 'Kind' is missing in '{go_json(patched)}'")
        return as_typed(call, patched, known)
    if not patched.get("apiVersion"):
        # Without a version it is read as upstream's own form of the object, whose fields have no names in JSON.
        return as_typed(call, {})[0], [name for name in patched if name not in ("apiVersion", "kind")]
    if problem := patched_type_problem(patched, call.expected_api_version, call.expected_kind):
        raise DecodeError(problem)
    return as_typed(call, patched, known)


def _check_custom_type(call: Call, given: Tree) -> None:
    """Raises StatusError 422 for a patch that made another kind of a custom resource."""
    wrong = [
        fields.invalid(Path(name), given.get(name) or "", f"must be {wanted}")
        for name, wanted in (("kind", call.expected_kind), ("apiVersion", call.expected_api_version))
        if given.get(name) != wanted
    ]
    if wrong:
        group = split_api_version(str(given.get("apiVersion") or ""))[0]
        raise errors.invalid(group, str(given.get("kind")), call.name, wrong)


def invalid_patch(shown: str, why: str) -> StatusError:
    return errors.invalid("", "", "", [fields.invalid(Path("patch"), shown, why)])


def wanted_uid(config: Tree) -> str:
    """The uid of the object that a configuration means; "" for any."""
    metadata = config.get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    return uid if isinstance(uid, str) else ""


def _unconverted(call: Call, config: Tree, why: str) -> StatusError:
    """The words for what does not decode once a configuration is applied."""
    if call.served.custom:
        return cannot_handle(call, why)
    metadata = config.get("metadata") or {}
    what = group_version_kind(call.expected_api_version, call.expected_kind)
    named = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}; {what}"
    return errors.unexpected(
        f"failed to convert new object ({named}) to proper version: unable to convert unstructured object to {what}: {why}"
    )


class ApplyPatcher:
    """Server-side apply."""

    creates = True

    def __init__(self, call: Call) -> None:
        self._call = call

    def begin(self, body: bytes, options: WriteOptions) -> None:
        self._options = options
        try:
            config = from_yaml(body)
        except ValueError as error:
            raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from error
        if config is None:
            config = {}
        if not isinstance(config, dict):
            kind = json_type(config)
            words = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {words}")
        self._config = config
        self._repeated = "" if options.field_validation == "Ignore" else repeated_keys(body)

    def make(self, current: Item | None) -> Tree:
        made = self._applied(current)
        # What is wrong with the configuration itself goes first, as upstream has it.
        if self._repeated:
            if self._options.field_validation == "Strict":
                raise bad_request(f"error strict decoding YAML: error converting YAML to JSON: {self._repeated}")
            for line in self._repeated.splitlines()[1:]:
                self._call.ctx.warn(line.strip())
        return made

    def _applied(self, current: Item | None) -> Tree:
        call, options = self._call, self._options
        served = call.served
        if call.own_view and call.part is not None and current is not None:
            return applied_view(call, call.part, self._config, current, options)
        live = None if current is None else served.typed(served.from_storage(current.tree))
        now = format_time(call.ctx.services.clock.now())
        manager = field_manager(served, call.subresource)
        new: Tree = manager.apply(live, self._config, options.manager, bool(options.force), now)
        if live is None and (uid := wanted_uid(self._config)):
            cause = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(served.resource.group, served.resource.plural, call.name, cause)
        try:
            new, _ = of_values(call, new, states_null=_has_null(self._config))
        except DecodeError as error:
            raise _unconverted(call, self._config, str(error)) from error
        metadata = new.get("metadata")
        new = {**new, "metadata": dict(metadata) if isinstance(metadata, dict) else {}}
        check_identity(call, new)
        return to_be_stored(call, new, current)
