"""Images for tests, made without any engine out of Debian's busybox-static and nginx packages.

`busybox()` is all applets of busybox. `nginx(version)` is Debian's nginx laid out as the official image is: bash, the
same entrypoint, logs on stdout and stderr, SIGQUIT to stop. So that versions can be told apart from outside, the
version string in the binary is replaced by one of the same length; nothing else of it is changed.

Everything is deterministic: the same packages give the same digests. Built images are kept in a temporary directory.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
NGINX_VERSIONS = ("1.16.0", "1.17.0", "1.18.0")
OCI = "application/vnd.oci.image"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_EPOCH = 1_600_000_000
_CACHE = Path(tempfile.gettempdir()) / f"pybernetes-test-images-{os.getuid()}"


# Layers


@dataclass(frozen=True)
class Layer:
    """A layer as a registry has it, with the digest of the tar inside."""

    blob: bytes
    diff_id: str
    media_type: str = f"{OCI}.layer.v1.tar+gzip"


class Tree:
    """The members of a layer, in the order in which they are added."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name: str, kind: bytes, data: bytes = b"", **fields: Any) -> "Tree":
        """A member of any kind; `fields` are those of TarInfo."""
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime, info.mode = kind, len(data), _EPOCH, 0o644
        for key, value in fields.items():
            setattr(info, key, value)
        self._tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, name: str, data: bytes | str = b"", mode: int = 0o644, **fields: Any) -> "Tree":
        content = data.encode() if isinstance(data, str) else data
        return self.add(name, tarfile.REGTYPE, content, mode=mode, **fields)

    def directory(self, *names: str, mode: int = 0o755, **fields: Any) -> "Tree":
        for name in names:
            self.add(name, tarfile.DIRTYPE, mode=mode, **fields)
        return self

    def symlink(self, name: str, target: str) -> "Tree":
        return self.add(name, tarfile.SYMTYPE, linkname=target, mode=0o777)

    def hardlink(self, name: str, target: str) -> "Tree":
        return self.add(name, tarfile.LNKTYPE, linkname=target)

    def copy(self, source: str, name: str = "", mode: int | None = None) -> "Tree":
        """A file of this machine, in the place that a merged /usr gives it."""
        path = Path(source).resolve()
        name = (name or re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", source)).lstrip("/")
        return self.file(name, path.read_bytes(), mode or path.stat().st_mode & 0o777)

    def tar(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()

    def layer(self) -> Layer:
        tar = self.tar()
        return Layer(gzip.compress(tar, compresslevel=1, mtime=0), digest_of(tar))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


# Images


@dataclass(frozen=True)
class Image:
    """An image in memory: what a registry would hand out."""

    layers: Sequence[Layer]
    run: Mapping[str, object] = field(default_factory=dict)
    architecture: str = ARCHITECTURE

    @property
    def config(self) -> bytes:
        return encode(
            {
                "created": "2020-09-13T12:26:40Z",
                "architecture": self.architecture,
                "os": "linux",
                "config": dict(self.run),
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
            }
        )

    @property
    def id(self) -> str:
        return digest_of(self.config)

    @property
    def manifest(self) -> bytes:
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": describe(self.config, f"{OCI}.config.v1+json"),
                "layers": [describe(layer.blob, layer.media_type) for layer in self.layers],
            }
        )

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def blobs(self) -> list[dict[str, object]]:
        """Descriptors of all that the image is made of."""
        manifest = json.loads(self.manifest)
        return [describe(self.manifest, manifest["mediaType"]), manifest["config"], *manifest["layers"]]

    @property
    def data(self) -> list[bytes]:
        """What `blobs` describes."""
        return [self.manifest, self.config, *(layer.blob for layer in self.layers)]

    def write_layout(self, directory: Path, name: str = "") -> Path:
        """Write an OCI layout, with the image's name in it if one is given."""
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        for blob in self.data:
            (blobs / digest_of(blob).removeprefix("sha256:")).write_bytes(blob)
        entry = describe(self.manifest, f"{OCI}.manifest.v1+json")
        if name:
            entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (directory / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [entry]}))
        return directory

    def write_archive(self, path: Path, name: str = "") -> Path:
        """Write an OCI layout as one tar."""
        with tempfile.TemporaryDirectory() as scratch:
            layout = self.write_layout(Path(scratch) / "layout", name)
            with tarfile.open(path, "w") as archive:
                archive.add(layout, arcname=".")
        return path


def encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def describe(blob: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}


def busybox() -> Image:
    """All applets of busybox, `sh` by default, a writable /tmp."""
    return kept("busybox", _busybox)


def nginx(version: str = "") -> Image:
    """Debian's nginx on port 80, saying that it is `nginx/<version>`; without a version it says its own."""
    return kept(f"nginx-{version or 'own'}", lambda: _nginx(version))


def _busybox() -> Image:
    tree = Tree().directory("bin", "dev", "etc", "home", "proc", "sys", "usr", "usr/bin", "usr/sbin", "var", "var/www")
    tree.directory("root", mode=0o700).directory("tmp", mode=0o1777)
    tree.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n")
    tree.file("etc/group", "root:x:0:\nwww-data:x:33:\n")
    tree.copy("/bin/busybox", "bin/busybox", 0o755)
    for applet in _applets():
        tree.hardlink(f"bin/{applet}", "bin/busybox")
    return Image([tree.layer()], {"Env": [PATH], "Cmd": ["sh"]})


def _nginx(version: str) -> Image:
    run = {
        "Env": [PATH, f"NGINX_VERSION={version or own_version()}"],
        "Entrypoint": ["/docker-entrypoint.sh"],
        "Cmd": ["nginx", "-g", "daemon off;"],
        "ExposedPorts": {"80/tcp": {}},
        "Labels": {"maintainer": "the project's tests"},
        "StopSignal": "SIGQUIT",
    }
    return Image([_base_layer(), _nginx_layer(version), _site_layer()], run)


@cache
def _base_layer() -> Layer:
    tree = Tree().directory("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "etc", "home", "proc", "run")
    for name in ("bin", "sbin", "lib", "lib64"):
        tree.symlink(name, f"usr/{name}")
    tree.directory("sys", "var", "var/cache", "var/lib", "var/log", "usr/share")
    tree.directory("root", mode=0o700).directory("tmp", mode=0o1777)
    tree.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnginx:x:101:101:nginx:/nonexistent:/bin/false\n")
    tree.file("etc/group", "root:x:0:\nnginx:x:101:\n").file("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
    tree.copy("/bin/bash", "usr/bin/bash").copy("/bin/dash", "usr/bin/dash").symlink("usr/bin/sh", "dash")
    for library in _libraries("/bin/bash", "/bin/dash", "/usr/sbin/nginx"):
        tree.copy(library)
    tree.copy("/bin/busybox", "usr/bin/busybox", 0o755)
    for applet in _applets():
        if applet not in ("sh", "bash", "ash", "busybox"):
            tree.symlink(f"usr/bin/{applet}", "busybox")
    return tree.layer()


def _nginx_layer(version: str) -> Layer:
    own, said = f"nginx/{own_version()}".encode(), f"nginx/{version or own_version()}".encode()
    assert len(own) == len(said), f"{version} cannot stand in the place of {own_version()}"
    binary = Path("/usr/sbin/nginx").read_bytes()
    tree = Tree().directory("usr", "usr/sbin").file("usr/sbin/nginx", binary.replace(own, said), 0o755)
    tree.directory(
        "etc", "etc/nginx", "etc/nginx/conf.d", "var", "var/lib", "var/lib/nginx", "var/log", "var/log/nginx"
    )
    tree.copy("/etc/nginx/mime.types").copy("/etc/nginx/fastcgi_params")
    tree.symlink("var/log/nginx/access.log", "/dev/stdout").symlink("var/log/nginx/error.log", "/dev/stderr")
    return tree.layer()


def _site_layer() -> Layer:
    tree = Tree().directory("docker-entrypoint.d", "usr", "usr/share", "usr/share/nginx", "usr/share/nginx/html")
    tree.file("docker-entrypoint.sh", _ENTRYPOINT, 0o755)
    tree.file("usr/share/nginx/html/index.html", _PAGE).file("usr/share/nginx/html/50x.html", _PAGE)
    tree.directory("etc", "etc/nginx", "etc/nginx/conf.d")
    return tree.file("etc/nginx/nginx.conf", _NGINX_CONF).file("etc/nginx/conf.d/default.conf", _SITE_CONF).layer()


@cache
def own_version() -> str:
    """Of Debian's nginx."""
    said = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition("/")[2].partition(" ")[0]


@cache
def _applets() -> tuple[str, ...]:
    listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout
    return tuple(name for name in listed.split() if name != "busybox")


def _libraries(*programs: str) -> list[str]:
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s)(/\S+)", listed, re.MULTILINE)))


_ENTRYPOINT = """\
#!/bin/sh
set -e
if [ "$1" = nginx ] && [ -z "$NGINX_ENTRYPOINT_QUIET_LOGS" ]; then
    echo "$0: Configuration complete; ready for start up"
fi
exec "$@"
"""

_NGINX_CONF = """\
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""

_SITE_CONF = """\
server {
    listen 80;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
    error_page 500 502 503 504 /50x.html;
    location = /50x.html { root /usr/share/nginx/html; }
}
"""

_PAGE = """\
<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1></body>
</html>
"""


def kept(name: str, build: Callable[[], Image]) -> Image:
    """The image of the last run, if neither the packages nor this file have changed since."""
    sources = (Path(__file__), Path("/bin/busybox"), Path("/usr/sbin/nginx"), Path("/bin/bash"))
    stamps = "".join(f"{path.stat().st_mtime_ns} {path.stat().st_size} " for path in sources)
    place = _CACHE / f"{name}-{hashlib.sha256(stamps.encode()).hexdigest()[:16]}"
    if not place.exists():
        image = build()
        _CACHE.mkdir(mode=0o700, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=_CACHE))
        image.write_layout(scratch / "layout")
        try:
            (scratch / "layout").rename(place)
        except OSError:
            assert place.exists()
        shutil.rmtree(scratch)
    return _read_layout(place)


def _read_layout(directory: Path) -> Image:
    def blob(digest: str) -> bytes:
        return (directory / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    manifest = json.loads(blob(json.loads((directory / "index.json").read_bytes())["manifests"][0]["digest"]))
    config = json.loads(blob(manifest["config"]["digest"]))
    layers = [
        Layer(blob(entry["digest"]), diff_id, entry["mediaType"])
        for entry, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    ]
    return Image(layers, config["config"], config["architecture"])
