"""What a build is asked for, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.cri.types import AuthConfig


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`docker build`, as data.

    `context` is an absolute path of a directory on the runtime's machine, or empty for none. `dockerfile` is a path
    inside the context, unless `text` has the file's content; then it is only a name for messages and for the ignore
    file that belongs to it. `tags` are references as users write them (`hostname`); none gives an image without a
    name. `build_args` with the value None have no value of their own and leave the Dockerfile's default.
    `only_check` reads the Dockerfile, tells what is unwise in it, and builds nothing.
    `ssh` are sockets of agents on the runtime's machine, by the id that `RUN --mount=type=ssh` has (`default`).
    `auth` gives the credentials for the image of a name. `no_cache` runs every step anew, `pull` asks the registry for base images that are here already.
    `network` is that of steps that name none: default or none. `hosts` are `NAME:ADDRESS` for their /etc/hosts.
    """

    context: str = ""
    dockerfile: str = "Dockerfile"
    text: str | None = None
    tags: Sequence[str] = ()
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    target: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    ssh: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    pull: bool = False
    only_check: bool = False
    network: str = "default"
    hosts: Sequence[str] = ()
    auth: Callable[[str], AuthConfig | None] = field(default=lambda name: None)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """The image: `id` is its config's digest, `names` are the full names that it got (`docker.io/library/hostname:latest`)."""

    id: str
    names: tuple[str, ...] = ()
