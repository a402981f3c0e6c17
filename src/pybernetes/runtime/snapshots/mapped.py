"""Layers as a pod's user namespace is to see them: no overlay can be mapped as a whole, but what it is made of can."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pybernetes.runtime import syscalls as sys
from pybernetes.runtime.launcher.users import map_tree


@contextmanager
def mapped_layers(layers: list[Path], directory: Path, users: Path | None) -> Iterator[list[Path]]:
    """The layers, each mounted below `directory` with the ids that it has in the user namespace pinned on `users`.

    Without one they are given as they are. An overlay keeps what it was made of, so the mounts end with the block.
    """
    if users is None:
        yield layers
        return
    with ExitStack() as stack:
        namespace = os.open(users, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, namespace)
        yield [_mount(layer, directory / str(number), namespace, stack) for number, layer in enumerate(layers)]


def _mount(layer: Path, target: Path, namespace: int, stack: ExitStack) -> Path:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    tree = sys.open_tree(sys.AT_FDCWD, str(layer))
    try:
        map_tree(tree, namespace, str(layer))
        sys.mount_setattr(tree, propagation=sys.MS_PRIVATE)
        point = os.open(target, os.O_PATH | os.O_CLOEXEC)
        try:
            sys.move_mount(tree, point)
        finally:
            os.close(point)
    finally:
        os.close(tree)
    stack.callback(sys.umount, str(target))
    return target
