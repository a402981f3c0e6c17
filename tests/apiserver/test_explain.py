"""What kubectl reads out of the published schemas of custom resources, in each version."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.apiservers import running_apiserver

Kubectl = Callable[..., str]
INNER = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
PORT = {"x-kubernetes-int-or-string": True, "description": "A port by number or name."}


def definition() -> dict[str, Any]:
    def version(name: str, storage: bool, **spec: Any) -> dict[str, Any]:
        schema = {
            "type": "object",
            "description": f"A shelf of {name}.",
            "properties": {"spec": {"type": "object", "required": ["port"], "properties": spec}},
        }
        return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}

    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "shelves.shop.test"},
        "spec": {
            "group": "shop.test", "scope": "Namespaced", "names": {"plural": "shelves", "kind": "Shelf"},
            "versions": [version("v1", True, port=PORT, inner=INNER), version("v2", False, port={"type": "string"})],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("explain")
    with running_apiserver(folder) as server:

        def run(*arguments: str, given: Any = None) -> str:
            command = ["kubectl", f"--server={server.url}", f"--cache-dir={folder}", *arguments]
            body = None if given is None else json.dumps(given)
            environment = {**os.environ, "HOME": str(folder), "KUBECONFIG": ""}
            done = subprocess.run(command, input=body, text=True, capture_output=True, env=environment, timeout=30)
            return done.stdout + done.stderr

        assert "created" in run("create", "-f", "-", given=definition())
        deadline = time.monotonic() + 10
        while "Shelf" not in run("api-resources", "--api-group=shop.test"):
            assert time.monotonic() < deadline
        yield run


def test_each_version_explains_itself(kubectl: Kubectl) -> None:
    first = kubectl("explain", "shelves", "--api-version=shop.test/v1", "--recursive")
    for words in (
        "GROUP:      shop.test",
        "KIND:       Shelf",
        "VERSION:    v1",
        "A shelf of v1.",
        "metadata\t<ObjectMeta>",
    ):
        assert words in first
    assert "port\t<Object> -required-" in first
    assert "inner\t<Object>" in first
    second = kubectl("explain", "shelves.spec", "--api-version=shop.test/v2")
    assert "port\t<string> -required-" in second
    assert "inner" not in second
    plain = kubectl("explain", "shelves.spec.port", "--api-version=shop.test/v1", "--output=plaintext-openapiv2")
    assert "A port by number or name." in plain


def test_objects_are_validated_by_it(kubectl: Kubectl) -> None:
    inner = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "more": 1}
    shelf = {
        "apiVersion": "shop.test/v1", "kind": "Shelf", "metadata": {"name": "s"}, "spec": {"port": 5, "inner": inner},
    }  # fmt: skip
    assert "created" in kubectl("create", "-f", "-", given=shelf)
    assert kubectl("get", "shelves.v1.shop.test", "s", "-o", "jsonpath={.spec.inner.more}") == "1"
    assert kubectl("get", "shelves.v2.shop.test", "s", "-o", "jsonpath={.apiVersion} {.spec.port}") == "shop.test/v2 5"
    wrong = shelf | {"spec": {"port": 5, "nosuch": 1}}
    assert 'unknown field "spec.nosuch"' in kubectl("create", "-f", "-", given=wrong)
