"""Objects of one version of a custom resource as objects of another: by their name alone, or by a webhook."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec

from pybernetes.aio.tasks import Scope
from pybernetes.api.errors import unexpected
from pybernetes.api.field import Path
from pybernetes.api.tree import Tree
from pybernetes.api.validation.metadata import validate_annotations, validate_labels
from pybernetes.apiserver.webhook_client import CallError, WebhookClient

SECONDS: Final = 30.0
"""How long a webhook may take to convert: definitions have no setting for it."""
BATCH: Final = 500
"""So many objects go into one review."""
BATCH_BYTES: Final = 4 << 20
"""An answer is as long as the question, and that has its bound."""
_GROUP: Final = "apiextensions.k8s.io"
_KEPT: Final = (("kind", "kind"), ("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class Converter(Protocol):
    """Of one definition."""

    at_once: ClassVar[bool]
    """Whether nobody has to be asked: then `rename` does it."""

    async def convert(self, objects: Sequence[Tree], api_version: str) -> list[Tree]:
        """The objects in that version, in order; those that are of it already are themselves.

        None is changed in place. Raises StatusError.
        """
        ...


def rename(obj: Tree, api_version: str) -> Tree:
    """Versions without a webhook differ in nothing but their name."""
    return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}


class Renaming:
    """`spec.conversion.strategy: None`."""

    at_once: ClassVar[bool] = True

    async def convert(self, objects: Sequence[Tree], api_version: str) -> list[Tree]:
        return [rename(each, api_version) for each in objects]


class WebhookConverter:
    """`spec.conversion.strategy: Webhook` (ConversionReview v1 and v1beta1)."""

    at_once: ClassVar[bool] = False

    def __init__(self, webhook: Tree, client: WebhookClient, scope: Scope) -> None:
        self._config: Tree = webhook["clientConfig"]
        self._versions: list[str] = webhook.get("conversionReviewVersions") or []
        self._client = client
        self._scope = scope

    async def convert(self, objects: Sequence[Tree], api_version: str) -> list[Tree]:
        others = [each for each in objects if each["apiVersion"] != api_version]
        made: list[Tree] = []
        for batch in _batches(others):
            made += await self._ask(batch, api_version)
        converted = iter(made)
        return [each if each["apiVersion"] == api_version else next(converted) for each in objects]

    async def _ask(self, objects: Sequence[Tree], api_version: str) -> list[Tree]:
        version = next((one for one in self._versions if one in ("v1", "v1beta1")), "")
        if not version:
            raise unexpected("no supported conversion review versions")
        uid = str(uuid.uuid4())
        request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)}
        review = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}
        called = f"conversion webhook for {objects[0]['apiVersion']}, Kind={objects[0]['kind']}"
        try:
            answer = await self._client.post(self._scope, self._config, review, SECONDS)
            found = _converted(answer, version, uid)
        except CallError as error:
            raise unexpected(f"{called} failed: {error}") from error
        if len(found) != len(objects):
            raise unexpected(f"{called} returned {len(found)} objects, expected {len(objects)}")
        pairs = enumerate(zip(objects, found, strict=True))
        return [_checked(old, new, api_version, called, index, alone=len(found) == 1) for index, (old, new) in pairs]


def _batches(objects: Sequence[Tree]) -> Iterator[list[Tree]]:
    """In order, as many together as may be asked about at once."""
    batch: list[Tree] = []
    size = 0
    for obj in objects:
        length = len(msgspec.json.encode(obj))
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(obj)
        size += length
    if batch:
        yield batch


def _converted(answer: Any, version: str, uid: str) -> list[Any]:
    """The objects of an answer. Raises CallError for what is no success."""
    if not isinstance(answer, dict):
        raise CallError("no response provided")
    if version == "v1":
        wanted = f"{_GROUP}/v1, Kind=ConversionReview"
        found = f"{answer.get('apiVersion', '')}, Kind={answer.get('kind', '')}"
        if found != wanted:
            raise CallError(f"expected webhook response of {wanted}, got {found}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise CallError("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise CallError(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        raise CallError(
            result.get("message") or f"response.result.status was '{result.get('status', '')}', not 'Success'"
        )
    objects = response.get("convertedObjects")
    return objects if isinstance(objects, list) else []


def _checked(old: Tree, new: Any, api_version: str, called: str, index: int, *, alone: bool) -> Tree:
    """A converted object with the metadata that it had, but for labels and annotations. Raises StatusError."""
    place = f"object at index {index}" if alone else f"converted object at index {index}"
    if not isinstance(new, dict):
        raise unexpected(f"{called} returned invalid {place}: Object 'Kind' is missing")
    for name, wanted, found in (
        ("groupVersion", api_version, new.get("apiVersion", "")),
        ("kind", old["kind"], new.get("kind", "")),
    ):
        if wanted != found:
            raise unexpected(f"{called} returned invalid {place}: invalid {name} (expected {wanted}, received {found})")
    invalid = "object" if alone else f"converted object at index {index}"
    before, after = old["metadata"], new.get("metadata")
    given = after if isinstance(after, dict) else {}
    for key, name in _KEPT:
        source, target = (old, new) if key == "kind" else (before, given)
        if source.get(key, "") != target.get(key, ""):
            words = f"must have the same {name}: {source.get(key, '')} != {target.get(key, '')}"
            raise unexpected(f"{called} returned invalid {invalid}: {words}")
    try:
        return {**new, "metadata": _metadata(before, after)}
    except CallError as error:
        where = "" if alone else f" in object at index {index}"
        raise unexpected(f"{called} returned invalid metadata{where}: {error}") from error


def _metadata(old: Tree, new: Any) -> Tree:
    """`old` with the labels and annotations of `new`. Raises CallError."""
    if not isinstance(new, dict):
        cause = "missing metadata" if new is None else f"invalid metadata of type {_go_type(new)}"
        raise CallError(f"{cause} in converted object")
    kept = {key: value for key, value in old.items() if key not in ("labels", "annotations")}
    # Upstream's path of annotations is in the singular here.
    for key, check, shown in (
        ("labels", validate_labels, "labels"),
        ("annotations", validate_annotations, "annotation"),
    ):
        given = new.get(key)
        if given is None:
            continue
        if not isinstance(given, dict):
            raise CallError(f"invalid metadata.{key} of type {_go_type(given)} in converted object")
        for name, value in given.items():
            if not isinstance(value, str):
                raise CallError(
                    f"metadata.{key}[{name}] must be a string, but is {_go_type(value)} in converted object"
                )
        if given != old.get(key):
            errors = [str(error) for error in check(given, Path("metadata").child(shown))]
            if errors:
                raise CallError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
        kept[key] = given
    return kept


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}", type(None): "<nil>"}
    return names.get(type(value), "map[string]interface {}")
