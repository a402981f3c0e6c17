"""The documents say what is so: the files they name exist, the commands they show are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybernetes.cli.main import COMMANDS, COMPONENTS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pybernetes"
DOCUMENTS = sorted(ROOT.glob("*.md"))
PLACES = (PACKAGE, ROOT)


def paths(text: str) -> set[str]:
    """Whatever stands in backquotes and looks like a file or folder, without placeholders."""
    quoted = re.findall(r"`([\w./-]+(?:\.py|/))`", text)
    return {path for path in quoted if "/" in path and not path.startswith(("/", "..", "api.", "https"))}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    missing = [path for path in paths(document.read_text()) if not any((place / path).exists() for place in PLACES)]
    assert missing == []


def test_shown_commands_exist() -> None:
    shown = set(re.findall(r"\bp8s ([a-z][a-z-]+)", (ROOT / "README.md").read_text()))
    assert shown <= set(COMMANDS) | set(COMPONENTS)


def test_the_walk_names_many_files() -> None:
    """The search above finds what it is meant to find."""
    assert len(paths((ROOT / "ARCHITECTURE.md").read_text())) > 40
