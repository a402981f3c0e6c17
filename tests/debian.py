"""Debian packages of this machine, with all they depend on, as a layer: a base in which `apt-get install` of them is
satisfied without a network, since dpkg's database there says that they are installed (and apt has no sources to ask).
"""

from __future__ import annotations

import re
import stat
from functools import cache
from pathlib import Path

from tests.images import Image, Layer, Tree, kept, nginx

_INFO = Path("/var/lib/dpkg/info")
_STATUS = Path("/var/lib/dpkg/status")
_LEFT_OUT = re.compile(r"/usr/share/(doc|man|locale|info|lintian|bug|common-licenses)(/|$)|.*/__pycache__")
_PYTHON = Path("/usr/bin/python3").resolve().name.removeprefix("python").replace(".", "")
_MERGED = re.compile(r"^/(bin|sbin|lib|lib64)(?=/|$)")


def flask() -> Image:
    """`nginx()` with apt, Python, its venv module and Flask: what examples/hostname is built on where nothing can be
    downloaded."""
    return kept(
        "flask", lambda: _with_packages(nginx(), "apt", "coreutils", "python3", "python3-venv", "python3-flask")
    )


def _with_packages(base: Image, *names: str) -> Image:
    return Image([*base.layers, packages_layer(*names)], base.run)


def packages_layer(*names: str) -> Layer:
    closure = _closure(names)
    tree, seen = Tree(), set[str]()
    for package in sorted(closure):
        for path in _files(package):
            _add(tree, path, seen)
    tree.directory("var/lib/dpkg", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt", "var/lib/apt/lists")
    tree.directory(
        "var/lib/apt/lists/partial", "var/cache/apt", "var/cache/apt/archives", "var/cache/apt/archives/partial"
    )
    tree.file("var/lib/dpkg/status", "".join(f"{_installed()[package]}\n\n" for package in sorted(closure)))
    return tree.layer()


@cache
def _installed() -> dict[str, str]:
    """dpkg's paragraph of every installed package."""
    found = {}
    for paragraph in _STATUS.read_text().split("\n\n"):
        if "\nStatus: install ok installed" in f"\n{paragraph}":
            found[_field(paragraph, "Package")] = paragraph.strip("\n")
    return found


def _field(paragraph: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*(?:\n .*)*)", paragraph, re.MULTILINE)
    return found[1] if found else ""


def _closure(names: tuple[str, ...]) -> set[str]:
    provided: dict[str, str] = {}
    for package, paragraph in _installed().items():
        for entry in _field(paragraph, "Provides").split(","):
            provided.setdefault(entry.split("(")[0].strip(), package)
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        package = name if name in _installed() else provided.get(name, "")
        if not package or package in found:
            continue
        found.add(package)
        paragraph = _installed()[package]
        for field in ("Depends", "Pre-Depends"):
            for entry in re.split(r"[,|]", _field(paragraph, field)):
                waiting.append(entry.split("(")[0].split(":")[0].strip())
    return found


def _files(package: str) -> list[str]:
    for path in (_INFO / f"{package}.list", *_INFO.glob(f"{package}:*.list")):
        if path.exists():
            return path.read_text().splitlines()
    return []


def _add(tree: Tree, path: str, seen: set[str]) -> None:
    """A member at the place that a merged /usr gives it, once."""
    name = _MERGED.sub(r"/usr/\1", path).lstrip("/")
    if name in seen or path in ("/.", "/bin", "/sbin", "/lib", "/lib64") or _LEFT_OUT.match(path):
        return
    source = Path(path)
    try:
        mode = source.lstat().st_mode
    except FileNotFoundError:
        return
    seen.add(name)
    if stat.S_ISLNK(mode):
        tree.symlink(name, str(source.readlink()))
    elif stat.S_ISDIR(mode):
        if name not in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "root", "tmp"):
            tree.directory(name, mode=stat.S_IMODE(mode))
    elif stat.S_ISREG(mode):
        _add_file(tree, name, source)
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-{_PYTHON}.pyc"
        if source.suffix == ".py" and compiled.exists():
            _add_file(tree, f"{name.rpartition('/')[0]}/__pycache__/{compiled.name}", compiled)


def _add_file(tree: Tree, name: str, source: Path) -> None:
    """With its own time: byte code knows its source by it."""
    info = source.stat()
    tree.file(name, source.read_bytes(), stat.S_IMODE(info.st_mode), mtime=int(info.st_mtime))
