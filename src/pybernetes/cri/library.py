"""What the command line, the docker API and the registry ask of the machine's images, besides what CRI has.

Implementation: `runtime/images/door.py`, served on the runtime's socket beside CRI (`cri/socket/`). Errors are
`cri.errors.CRIError` and its subclasses. Files travel as paths that the runtime opens: for standard input, a pipe or
an unnamed file that is `/proc/<pid>/fd/<n>` of the caller, who has to be root as the runtime is.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from pybernetes.cri.types import AuthConfig


class ImageRecord(msgspec.Struct, frozen=True):
    """An image: `id` is its config's digest, `config` that document (OCI image spec, config.md).

    `local` are those of `tags` that were given on this machine and not by a registry; `manifest` is a digest,
    `layers` are digests of blobs, lowest first, with their sizes. `size` is in bytes, as a registry would send it.
    """

    id: str
    tags: list[str]
    digests: list[str]
    local: list[str]
    size: int
    manifest: str
    manifest_size: int
    layers: list[str]
    layer_sizes: list[int]
    config: bytes


class ImageStep(msgspec.Struct, frozen=True):
    """A step of a transfer: `done` of `total` bytes of blob `digest`. The last has only `result`."""

    digest: str = ""
    done: int = 0
    total: int = 0
    result: str = ""


class ImageLibrary(Protocol):
    """The images of this machine by name: a tag, a repo digest, an id or the beginning of one."""

    async def image_records(self) -> list[ImageRecord]:
        """All of them, in the order in which they came."""
        ...

    async def image_record(self, name: str) -> ImageRecord:
        """Raises ImageNotFoundError."""
        ...

    def fetch_image(self, name: str, auth: AuthConfig | None = None) -> AsyncIterator[ImageStep]:
        """Pull, whatever was given the name on this machine; the result is the image's id.

        Ended early, the pull is given up. Raises ImageNotFoundError, InvalidError, PullError.
        """
        ...

    def push_image(self, name: str, auth: AuthConfig | None = None) -> AsyncIterator[ImageStep]:
        """Upload to the registry of the name; the result is the manifest's digest. Raises as `fetch_image`."""
        ...

    async def load_images(self, path: str) -> list[str]:
        """Load a docker or OCI archive, or an OCI layout; returns names, or ids of images without. Raises InvalidError."""
        ...

    async def adopt_image(self, name: str, manifest: str, blobs: str) -> str:
        """Make the manifest (a digest) an image of this machine under the name; returns its id.

        It and all its blobs are in directory `blobs`, under their hexadecimal digests and verified; they are linked, not
        copied, where the file system allows. Raises InvalidError for what is no image of this machine's platform.
        """
        ...

    async def save_images(self, names: list[str], path: str) -> None:
        """Write the images to an archive that every engine loads. Raises ImageNotFoundError, InvalidError."""
        ...

    async def tag_image(self, source: str, target: str) -> None:
        """Give an image one more name. Raises ImageNotFoundError, InvalidError."""
        ...

    async def untag_image(self, name: str) -> None:
        """Take a name away; the image stays, by its id. Raises InvalidError."""
        ...
