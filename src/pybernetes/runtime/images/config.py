"""The config of an image (OCI image spec, config.md), as a container needs it."""

import msgspec
from msgspec import Struct, field

from pybernetes.wire.images.documents import DOCUMENT_LIMIT, DocumentError
from pybernetes.wire.images.reference import is_digest


class ImageConfig(Struct, frozen=True):
    """How containers of the image run unless told otherwise. Nothing in it is checked: it is the image's word."""

    architecture: str = ""
    os: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    entrypoint: list[str] | None = msgspec.field(name="Entrypoint", default=None)
    cmd: list[str] | None = msgspec.field(name="Cmd", default=None)
    env: list[str] | None = msgspec.field(name="Env", default=None)
    user: str | None = msgspec.field(name="User", default=None)
    working_dir: str | None = msgspec.field(name="WorkingDir", default=None)
    stop_signal: str | None = msgspec.field(name="StopSignal", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)
    volumes: dict[str, msgspec.Raw] | None = msgspec.field(name="Volumes", default=None)
    exposed_ports: dict[str, msgspec.Raw] | None = msgspec.field(name="ExposedPorts", default=None)


class _Root(msgspec.Struct, frozen=True):
    type: str = "layers"
    diff_ids: list[str] = []


class _Document(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    config: _Run | None = None
    rootfs: _Root | None = None


def decode(data: bytes) -> ImageConfig:
    """Raises DocumentError if it is no image config (an artifact's, for example)."""
    if len(data) > DOCUMENT_LIMIT:
        raise DocumentError("image config is too large")
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"invalid image config: {error}") from error
    run, root = document.config or _Run(), document.rootfs or _Root()
    if bad := [diff_id for diff_id in root.diff_ids if not is_digest(diff_id)]:
        raise DocumentError(f'invalid diff id "{bad[0]}" in image config')
    return ImageConfig(
        architecture=document.architecture,
        os=document.os,
        entrypoint=tuple(run.entrypoint or ()),
        cmd=tuple(run.cmd or ()),
        env=tuple(run.env or ()),
        user=run.user or "",
        working_dir=run.working_dir or "",
        stop_signal=run.stop_signal or "",
        labels=run.labels or {},
        volumes=tuple(run.volumes or ()),
        exposed_ports=tuple(run.exposed_ports or ()),
        diff_ids=tuple(root.diff_ids),
    )
