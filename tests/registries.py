"""A registry for tests: Debian's docker-registry, filled with the images of `images.py`."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.images import NGINX_VERSIONS, OCI, Image, busybox, describe, digest_of, encode, nginx
from tests.ports import free_port


@dataclass(frozen=True)
class Registry:
    """Debian's docker-registry on a port of 127.0.0.1."""

    port: int
    log: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def push(self, image: Image, *names: str, credentials: str = "") -> None:
        """Give the image to the registry, with skopeo, under each name (`library/nginx:1.16.0`)."""
        with tempfile.TemporaryDirectory() as scratch:
            layout = image.write_layout(Path(scratch) / "layout")
            for name in names:
                login = ["--dest-creds", credentials] if credentials else []
                self.skopeo("copy", *login, "--dest-tls-verify=false", f"oci:{layout}", f"docker://{self.host}/{name}")

    def push_index(self, name: str, *images: Image) -> str:
        """Give the registry an index of the images, each for its own architecture; returns the index's digest."""
        with tempfile.TemporaryDirectory() as scratch:
            layout, entries = Path(scratch) / "layout", []
            for image in images:
                image.write_layout(layout)
                platform = {"os": "linux", "architecture": image.architecture}
                entries.append({**describe(image.manifest, f"{OCI}.manifest.v1+json"), "platform": platform})
            index = encode({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries})
            (layout / "blobs" / "sha256" / digest_of(index).removeprefix("sha256:")).write_bytes(index)
            top = {"schemaVersion": 2, "manifests": [describe(index, f"{OCI}.index.v1+json")]}
            (layout / "index.json").write_bytes(encode(top))
            target = f"docker://{self.host}/{name}"
            self.skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout}", target)
        return digest_of(index)

    def skopeo(self, *arguments: str) -> str:
        command = ["skopeo", "--insecure-policy", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running_registry(directory: Path, *, port: int = 0, htpasswd: Path | None = None) -> Iterator[Registry]:
    """A registry with its content below `directory`; empty at first, ended with the block."""
    port = port or free_port()
    config = directory / "registry.yml"
    auth = {"auth": {"htpasswd": {"realm": "basic-realm", "path": str(htpasswd)}}} if htpasswd else {}
    storage = {"filesystem": {"rootdirectory": str(directory / "registry")}, "delete": {"enabled": True}}
    config.write_bytes(
        encode({"version": "0.1", "storage": storage, "http": {"addr": f"127.0.0.1:{port}", "secret": "test"}, **auth})
    )
    log = directory / "registry.log"
    with log.open("wb") as output:
        server = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=output, stderr=output)
        try:
            _wait_listening(port, server)
            yield Registry(port, log)
        finally:
            server.kill()
            server.wait()


def push(image: Image, url: str, name: str) -> None:
    """Give the image to the registry at the URL."""
    Registry(int(url.rpartition(":")[2]), Path(os.devnull)).push(image, name)


def fill(registry: Registry) -> None:
    """Give the registry the images of the labs, so that it can stand for docker.io."""
    registry.push(busybox(), "library/busybox:latest", "library/busybox:1")
    registry.push(nginx(), "library/nginx:latest")
    for version in NGINX_VERSIONS:
        registry.push(nginx(version), f"library/nginx:{version}")


def _wait_listening(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        assert server.poll() is None, "docker-registry ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("docker-registry does not listen")
