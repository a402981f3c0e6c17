"""From a patch and the stored object to the object to be stored, for each kind of patch."""

from __future__ import annotations

from typing import Protocol

from pybernetes.api import errors
from pybernetes.api import field as fields
from pybernetes.api.decode import DecodeError, field_warnings
from pybernetes.api.errors import StatusError, bad_request
from pybernetes.api.field import Path, go_json
from pybernetes.api.patch import go_text
from pybernetes.api.patch.json_patch import json_patch
from pybernetes.api.patch.managed_fields import keep_times
from pybernetes.api.patch.merge import merge_patch
from pybernetes.api.patch.strategic import strategic_patch
from pybernetes.api.schema import Json
from pybernetes.api.time import format_time
from pybernetes.api.tree import Tree
from pybernetes.apiserver.cacher.item import Item
from pybernetes.apiserver.handlers.call import Call
from pybernetes.apiserver.handlers.decode import as_typed, cannot_handle, check_identity, json_type, report_strictness
from pybernetes.apiserver.json_errors import JSONError, parse_json
from pybernetes.apiserver.ownership import owned
from pybernetes.apiserver.registry.field_managers import field_manager
from pybernetes.apiserver.registry.options import WriteOptions
from pybernetes.apiserver.scale_ownership import applied_view
from pybernetes.apiserver.yaml import from_yaml, repeated_keys

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


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
    kinds = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH) if call.served.custom else (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)  # fmt: skip
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
        try:
            self._patch: Json = parse_json(body)  # type: ignore[assignment]  # JSON is what the parser makes
        except JSONError as error:
            words = str(error) if self._media == STRATEGIC_PATCH else f"error decoding patch: {error}"
            raise bad_request(words) from error

    def make(self, current: Item | None) -> Tree:
        assert current is not None
        call = self._call
        # What the patch leaves alone becomes part of the result, which the caller may change.
        shown = call.view(current.tree if call.served.custom else current.decode())
        patch = self._patch if self._media == STRATEGIC_PATCH else None
        return typed_patched(call, self._patched(shown), shown, current, self._options, patch)

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


def typed_patched(
    call: Call, patched: Tree, known: Tree, current: Item, options: WriteOptions, patch: Json = None
) -> Tree:
    """A patched object, typed, defaulted and owned like one that was sent whole; `known` is what was patched.

    Errors show the `patch` where it is given, else the patched object.
    """

    def shown() -> str:
        return go_json(patched) if patch is None else go_text.plain(patch)

    try:
        made, unknown = as_typed(call, patched, None if call.own_view else known)
    except DecodeError as error:
        # A patch of values is decoded by another of upstream's decoders.
        decoder = "error decoding from json: " if patch is not None and str(error).startswith("illegal base64") else ""
        raise invalid_patch(shown(), f"{decoder}{error}") from error
    # Upstream has written the patched object out, in the order of its keys, before it decodes it.
    report_strictness(call.ctx, options, field_warnings(sorted(unknown)), lambda text: invalid_patch(shown(), text))
    check_identity(call, made)
    return owned(call, made, current, options)


def invalid_patch(shown: str, why: str) -> StatusError:
    return errors.invalid("", "", "", [fields.invalid(Path("patch"), shown, why)])


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
            why = f"error converting YAML to JSON: {self._repeated}"
            if self._options.field_validation == "Strict":
                raise bad_request(f"error strict decoding YAML: {why}")
            self._call.ctx.warn(why)
        return made

    def _applied(self, current: Item | None) -> Tree:
        call, options = self._call, self._options
        served = call.served
        if call.own_view and call.part is not None and current is not None:
            return applied_view(call, call.part, self._config, current, options)
        live = None if current is None else served.typed(served.from_storage(current.tree))
        now = format_time(call.ctx.services.clock.now())
        manager = field_manager(served, call.subresource)
        try:
            new: Tree = manager.apply(live, self._config, options.manager, bool(options.force), now)
            new, _ = as_typed(call, new)
        except DecodeError as error:
            raise cannot_handle(call, str(error)) from error
        metadata = new.get("metadata")
        new = {
            **new,
            "metadata": {"name": call.name, **metadata} if isinstance(metadata, dict) else {"name": call.name},
        }
        check_identity(call, new)
        if live is not None:
            if call.part is not None:
                new = call.part.merge(call.ctx, new, live)
            new = keep_times(live, new)
        new = served.to_storage(new)
        return {**new, "metadata": dict(new["metadata"])}
