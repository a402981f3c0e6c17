"""The documents say what is so: the files they name exist, the commands they show are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybernetes.cli.main import COMMANDS, COMPONENTS, build_parser
from pybernetes.cli.parser import branches

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


def shown(document: str) -> set[str]:
    """The commands of p8s that a document has."""
    return set(re.findall(r"\bp8s ([a-z][a-z-]+)", (ROOT / document).read_text()))


@pytest.mark.parametrize("document", ["README.md", "docs/p8s.md"])
def test_shown_commands_exist(document: str) -> None:
    assert shown(document) <= set(COMMANDS) | set(COMPONENTS)


def test_the_reference_has_every_command() -> None:
    text = (ROOT / "docs" / "p8s.md").read_text()
    headed = {name for line in re.findall(r"(?m)^##+ (.*)$", text) for name in line.split(", ")}
    assert set(COMMANDS) <= headed | shown("docs/p8s.md")


def test_options_of_the_reference_exist() -> None:
    parsers = branches(build_parser(*COMMANDS))
    for line in re.findall(r"p8s [a-z][^`\n#)]*", (ROOT / "docs" / "p8s.md").read_text()):
        _, command, *words = line.split()
        if command not in parsers:
            continue
        below = branches(parsers[command])
        parser = next((below[word] for word in words if word in below), parsers[command])
        there_are = {name for action in parser._actions for name in action.option_strings}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= there_are, line


def test_the_walk_names_many_files() -> None:
    """The search above finds what it is meant to find."""
    assert len(paths((ROOT / "ARCHITECTURE.md").read_text())) > 40
