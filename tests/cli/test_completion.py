"""Completion in the shells themselves: what a user is offered at each place."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pybernetes.cli.completion import SHELLS
from pybernetes.cli.main import COMMANDS, build_parser

PARSER = build_parser(*COMMANDS)
CASES = [
    (["sta"], {"start", "status"}),
    (["image", "l"], {"ls", "load"}),
    (["image", "ls", "--out"], {"--output"}),
    (["status", "-o", ""], {"json"}),
    (["profile", "list", "-o", ""], {"json", "name"}),
    (["logs", "--foll"], {"--follow"}),
    (["stop", "-p", "fir"], {"first"}),
]


def offered(shell: str, words: list[str], folder: Path) -> set[str]:
    """What the shell offers for the last word. The p8s of this search path, unless it is there, knows two profiles."""
    script = folder / f"p8s.{shell}"
    script.write_text(SHELLS[shell](PARSER))
    asked = folder / "p8s"
    if not asked.exists():
        asked.write_text("#!/bin/sh\nprintf 'first\\nsecond\\n'\n")
        asked.chmod(0o755)
    quoted = " ".join(f"'{word}'" for word in ["p8s", *words])
    code = {
        "bash": f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _p8s; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        "fish": f'source {script}; complete -C "p8s {" ".join(words)}"',
    }[shell]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run([shell, "-c", code], capture_output=True, text=True, timeout=30, env=environment)
    assert done.stderr == ""
    return {line.partition("\t")[0] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"), CASES, ids=lambda value: "-".join(value) if isinstance(value, list) else ""
)
def test_what_is_offered(shell: str, words: list[str], expected: set[str], tmp_path: Path) -> None:
    assert offered(shell, words, tmp_path) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_what_their_shells_can_read(shell: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [shell, "-n"], input=SHELLS[shell](PARSER), capture_output=True, text=True, timeout=30
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_printed_by_the_command() -> None:
    command = [sys.executable, "-m", "pybernetes.cli.main", "completion", "zsh"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=30).stdout == SHELLS["zsh"](PARSER)


@pytest.mark.parametrize(
    "load", ["source {folder}/script", "cp {folder}/script {folder}/_p8s; fpath=({folder} $fpath)"]
)
def test_zsh_offers_at_a_terminal(load: str, tmp_path: Path) -> None:
    """Typed into an interactive shell, since zsh completes nowhere else; sourced, and found in $fpath."""
    with typed_into_zsh(load, tmp_path) as zsh:
        zsh.type("p8s sta\t")
        zsh.until("status  -- show what runs")
        zsh.type("\x15p8s image l\t")
        zsh.until("ls    -- list images")


class Typed:
    """A shell at a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, text: str) -> None:
        """Read what the shell shows until the text is there."""
        shown, deadline = "", time.monotonic() + 30
        while text not in shown:
            left = deadline - time.monotonic()
            assert left > 0, shown
            assert select.select([self._terminal], [], [], left)[0], repr(shown)
            shown += os.read(self._terminal, 65536).decode(errors="replace")


@contextmanager
def typed_into_zsh(load: str, folder: Path) -> Iterator[Typed]:
    """An interactive zsh that has loaded the completion script, which lies in the folder."""
    (folder / "script").write_text(SHELLS["zsh"](PARSER))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "HOME": str(folder)})
    zsh = Typed(terminal)
    try:
        known = "autoload -U compinit; compinit -u"
        order = f"{known}; {load}" if load.startswith("source") else f"{load}; {known}"
        zsh.type(f"{order.format(folder=folder)}; echo lo''aded\n")
        zsh.until("loaded")
        yield zsh
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
