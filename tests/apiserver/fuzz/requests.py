"""Random requests of a seed, and what must hold of their answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.apiserver.fuzz.objects import Tree, collection, expanded, garbage, places, seeds, spoiled
from tests.apiserver.inprocess import Server

from pybernetes.api import scheme
from pybernetes.api.protobuf import CONTENT_TYPE as PROTOBUF
from pybernetes.api.protobuf import encode_object
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.yaml import to_yaml

JSON_PATCH: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
QUERIES: Final = (
    "dryRun=All",
    "dryRun=All&fieldValidation=Strict",
    "dryRun=All&fieldValidation=Ignore",
    "fieldValidation=Warn",
)
STREAMS: Final = ("attach", "exec", "log", "portforward", "proxy")
ACCEPTS: Final = (
    *("application/json",) * 5,
    "application/yaml",
    PROTOBUF,
    "application/json;as=Table;v=v1;g=meta.k8s.io",
)
DELIBERATE: Final = (
    "resourceVersion should not be set on objects to be created",
    "resourceVersion: Invalid value",
    "failed to create typed patch object",
    "failed to convert new object",
    "strconv.ParseUint: parsing",
    "list element types are not identical",
    "unable to find api field in struct",
    "does not contain declared merge key",
    "unknown patch type",
    "expected a []interface {}",
    "cannot merge lists without merge key",
    "merging lists cannot yet be specified",
    "target.kind: Unsupported value",
    "target.name: Required value",
)
"""What upstream answers with 500, too."""


@dataclass
class Sent:
    """One request."""

    method: str
    path: str
    body: bytes
    media: str = "application/json"
    accept: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.media} {self.body!r}"


@dataclass
class Fuzz:
    """Makes requests of one seed number: always the same ones."""

    random: Random
    objects: list[Tree] = field(default_factory=seeds)

    def request(self) -> Sent:
        sent = self._sent()
        sent.accept = self.random.choice(ACCEPTS)
        return sent

    def _sent(self) -> Sent:
        tree = self.random.choice(self.objects)
        path = path_of(tree)
        query = self.random.choice(QUERIES)
        match self.random.randrange(4):
            case 0 | 1:
                return self._body("POST", f"{path}?{query}", tree)
            case 2:
                return self._body(
                    "PUT", f"{path}/{tree.get('metadata', {}).get('name', 'x')}{self._part(tree)}?{query}", tree
                )
            case _:
                return self._patch(
                    f"{path}/{tree.get('metadata', {}).get('name', 'x')}{self._part(tree)}?{query}", tree
                )

    def _part(self, tree: Tree) -> str:
        resource = scheme.by_kind(tree["apiVersion"], tree["kind"])
        names = resource.subresources if resource is not None else ("status", "scale")
        return self.random.choice(("", "", *(f"/{name}" for name in names if name not in STREAMS)))

    def _body(self, method: str, path: str, tree: Tree) -> Sent:
        made = spoiled(tree, self.random)
        match self.random.randrange(4):
            case 0:
                return Sent(method, path, as_yaml(made), "application/yaml")
            case 1:
                try:
                    raw = encode_object({**made, "apiVersion": tree["apiVersion"], "kind": tree["kind"]})
                except Exception:
                    raw = encode_object(tree) if "life.test" not in tree["apiVersion"] else b"k8s\0"
                return Sent(method, path, self._bits(raw), PROTOBUF)
            case _:
                return Sent(method, path, as_json(made), "application/json")

    def _bits(self, raw: bytes) -> bytes:
        """The bytes, some of them changed."""
        data = bytearray(raw)
        for _ in range(self.random.choice((0, 1, 1, 3))):
            if len(data) < 5:
                break
            place = self.random.randrange(4, len(data))
            match self.random.randrange(4):
                case 0:
                    data[place] ^= 1 << self.random.randrange(8)
                case 1:
                    data[place] = self.random.choice((0, 0x7F, 0x80, 0xFF))
                case 2:
                    del data[place:]
                case _:
                    data[place:place] = data[max(4, place - 20) : place]
        return bytes(data)

    def _patch(self, path: str, tree: Tree) -> Sent:
        media = self.random.choice((JSON_PATCH, MERGE, STRATEGIC, APPLY))
        if media == APPLY:
            return Sent(
                "PATCH",
                f"{path}&fieldManager=m{self.random.choice(('', '&force=true'))}",
                as_yaml(spoiled(tree, self.random)),
                media,
            )
        if media == JSON_PATCH:
            return Sent("PATCH", path, as_json(self._operations(tree)), media)
        made = spoiled(tree, self.random)
        if isinstance(made, dict) and self.random.random() < 0.8:
            for name in ("apiVersion", "kind"):
                made.pop(name, None)
            made = {key: value for key, value in made.items() if self.random.random() < 0.7}
        return Sent("PATCH", path, as_json(made), media)

    def _operations(self, tree: Tree) -> Any:
        if self.random.random() < 0.05:
            return garbage(self.random)
        return [self._operation(tree) for _ in range(self.random.choice((1, 1, 2, 5)))]

    def _operation(self, tree: Tree) -> Any:
        made: Tree = {
            "op": self.random.choice(("add", "remove", "replace", "move", "copy", "test")),
            "path": self._pointer(tree),
        }
        if made["op"] in ("move", "copy"):
            made["from"] = self._pointer(tree)
        else:
            made["value"] = garbage(self.random)
        if self.random.random() < 0.1:
            made[self.random.choice(("op", "path", "from", "value"))] = garbage(self.random)
        return made

    def _pointer(self, tree: Tree) -> Any:
        way = self.random.choice(list(places(tree)))
        tail = self.random.choice(("", "", "", "/-", "/0", "/-1", "/x", "/~", "/~2", "/99999999999999999999"))
        return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in way) + tail


async def send(api: Server, sent: Sent) -> Response:
    """The server's answer to it; never a stream."""
    headers = {"content-type": sent.media, "accept": sent.accept}
    answer = await api.bytes(sent.method, sent.path, sent.body, headers=headers)
    assert isinstance(answer, Response), sent
    return answer


def body_of(answer: Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def path_of(tree: Tree) -> str:
    if tree["apiVersion"].startswith("life.test"):
        return "/apis/life.test/v1/namespaces/default/widgets"
    return collection(tree)


def as_json(tree: Any) -> bytes:
    return expanded(json.dumps(tree)).encode()


def as_yaml(tree: Any) -> bytes:
    text = json.dumps(tree)
    if "deep-" in text or "\\ud8" in text:
        return expanded(text).encode()  # which is YAML, too
    return to_yaml(tree)
