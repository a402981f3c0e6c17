"""The edge to CRI: what goes wrong inside, in CRI's errors and the words of containerd's events."""

from collections.abc import Iterator
from contextlib import contextmanager

from pybernetes.cri.errors import ImageNotFoundError, InvalidError, PullError
from pybernetes.runtime.images.assemble import ExtractError
from pybernetes.runtime.images.content import DigestError
from pybernetes.runtime.images.registry.credentials import CredentialsError
from pybernetes.runtime.images.registry.errors import RegistryError, UnknownImageError
from pybernetes.wire.images.documents import DocumentError
from pybernetes.wire.images.reference import InvalidReferenceError, Reference, parse, parse_error


class ResolveError(RegistryError):
    """The name could not be turned into a digest."""


def parse_name(name: str) -> Reference:
    """The full reference. Raises InvalidError with a sentence that names the name."""
    try:
        return parse(name)
    except InvalidReferenceError as error:
        raise InvalidError(parse_error(name, error)) from error


@contextmanager
def translated_pull(reference: Reference) -> Iterator[None]:
    """Raises ImageNotFoundError and PullError instead of whatever a pull raises."""
    failed = f'failed to pull and unpack image "{reference}":'
    resolving = f'{failed} failed to resolve reference "{reference}":'
    try:
        yield
    except UnknownImageError as error:
        raise ImageNotFoundError(f"{resolving} {error}") from error
    except (ResolveError, CredentialsError) as error:
        raise PullError(f"{resolving} {error}") from error
    except (RegistryError, DigestError) as error:
        raise PullError(f"{failed} failed to copy: {error}") from error
    except (DocumentError, ExtractError) as error:
        raise PullError(f"{failed} {error}") from error
    except OSError as error:
        raise PullError(f"{failed} {(error.strerror or str(error)).lower()}") from error


@contextmanager
def translated_archive(what: str) -> Iterator[None]:
    """Raises InvalidError instead of whatever loading an archive raises; a failing disk stays an OSError."""
    try:
        yield
    except (DigestError, DocumentError, ExtractError) as error:
        raise InvalidError(f"failed to load {what}: {error}") from error


@contextmanager
def translated_push(reference: Reference) -> Iterator[None]:
    """Raises PullError instead of whatever a push raises."""
    try:
        yield
    except (RegistryError, CredentialsError) as error:
        raise PullError(f'failed to push image "{reference}": {error}') from error
    except OSError as error:
        raise PullError(f'failed to push image "{reference}": {(error.strerror or str(error)).lower()}') from error
