"""Programs that have credentials for images."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.kubelet.world import a_pod

from pybernetes.aio.clock import FakeClock
from pybernetes.api.types import core_v1 as v1
from pybernetes.kubelet.images.credentials import Entry
from pybernetes.kubelet.images.providers import CredentialProviders, read_providers

V1 = "credentialprovider.kubelet.k8s.io/v1"
PROGRAM = """#!/bin/sh
cat > "$REQUESTS/$(date +%s%N)"
echo '{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry",
"cacheDuration":"10m","auth":{"*.test":{"username":"me","password":"secret"}}}'
"""


class _Tokens:
    annotations: Mapping[str, str] = {"opt": "in"}

    async def annotations_of(self, pod: v1.Pod) -> tuple[str, Mapping[str, str]]:
        return "uid", self.annotations

    async def token_for(self, pod: v1.Pod, audience: str) -> str:
        return f"token for {audience}"


class Node:
    """A node with the provider `known`; what it was asked is in `requests`."""

    def __init__(self, folder: Path, program: str = PROGRAM, **fields: object) -> None:
        self.folder, self.clock, self.tokens = folder, FakeClock(), _Tokens()
        self.programs, self.requests = folder / "bin", folder / "requests"
        self.programs.mkdir()
        self.requests.mkdir()
        (self.programs / "known").write_text(program)
        (self.programs / "known").chmod(0o755)
        provider = {
            "name": "known", "matchImages": ["*.test"], "apiVersion": V1, "defaultCacheDuration": "1m",
            "env": [{"name": "REQUESTS", "value": str(self.requests)}],
        } | fields  # fmt: skip
        self.write("config.yaml", provider)
        self.providers = CredentialProviders(self.read("config.yaml"), self.programs, self.clock, self.tokens)

    def write(self, name: str, *providers: object) -> None:
        tree = {"kind": "CredentialProviderConfig", "apiVersion": "kubelet.config.k8s.io/v1", "providers": providers}
        (self.folder / name).write_text(json.dumps(tree))

    def read(self, name: str):  # type: ignore[no-untyped-def]
        return read_providers(self.folder / name, self.programs)

    async def ask(self, image: str, **spec: object) -> dict[str, Entry]:
        return await self.providers.credentials(a_pod(**spec), image)

    @property
    def asked(self) -> list[dict[str, object]]:
        return [json.loads(path.read_text()) for path in sorted(self.requests.iterdir())]


async def test_an_answer_is_kept_for_its_registry_and_time(tmp_path: Path) -> None:
    node = Node(tmp_path)
    assert (await node.ask("registry.test/app"))["*.test"] == Entry("me", "secret")
    assert node.asked == [{"kind": "CredentialProviderRequest", "apiVersion": V1, "image": "registry.test/app"}]
    await node.ask("registry.test/other")
    assert len(node.asked) == 1
    await node.ask("second.test/app")
    assert len(node.asked) == 2
    await node.clock.advance(601)
    await node.ask("registry.test/app")
    assert len(node.asked) == 3


async def test_other_images_are_not_its_business(tmp_path: Path) -> None:
    node = Node(tmp_path)
    assert await node.ask("docker.io/library/nginx") == {}
    assert node.asked == []


async def test_the_pods_account(tmp_path: Path) -> None:
    attributes = {
        "serviceAccountTokenAudience": "registry", "requireServiceAccount": True, "cacheType": "ServiceAccount",
        "requiredServiceAccountAnnotationKeys": ["opt"],
    }  # fmt: skip
    node = Node(tmp_path, tokenAttributes=attributes)
    assert await node.ask("registry.test/app") == {}, "a pod without an account"
    assert await node.ask("registry.test/app", service_account_name="robot")
    (asked,) = node.asked
    assert (asked["serviceAccountToken"], asked["serviceAccountAnnotations"]) == ("token for registry", {"opt": "in"})
    node.tokens.annotations = {}
    assert await node.ask("registry.test/more", service_account_name="robot") == {}, "it has not opted in"


@pytest.mark.parametrize("program", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho nothing\n"])
async def test_one_that_fails_has_none(tmp_path: Path, program: str) -> None:
    assert await Node(tmp_path, program).ask("registry.test/app") == {}


def test_what_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    node = Node(tmp_path)
    base = {"name": "known", "matchImages": ["*.test"], "apiVersion": V1, "defaultCacheDuration": "1m"}
    for changed in ({"name": "other"}, {"name": "a/b"}, {"apiVersion": "v9"}, {"matchImages": []}):
        node.write("bad.yaml", base | changed)
        with pytest.raises(ValueError, match=r"plugin binary|Invalid|Unsupported|Required"):
            node.read("bad.yaml")
    node.write("bad.yaml", base, base)
    with pytest.raises(ValueError, match="duplicate provider name"):
        node.read("bad.yaml")
    (tmp_path / "bad.yaml").write_text('{"kind": "Pod"}')
    with pytest.raises(ValueError, match="wrong Kind"):
        node.read("bad.yaml")
