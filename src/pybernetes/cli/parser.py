"""argparse with errors as every other: a cause, and the nearest of what there is as the next step."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import Any

from pybernetes.cli import elsewhere
from pybernetes.cli.console import WRONG_USAGE, Failure
from pybernetes.cluster.errors import suggestion

SHARED = ("delete", "version", "config", "completion")
"""Commands of kubectl and p8s."""


class Parser(argparse.ArgumentParser):
    """Raises Failure with the code of wrong usage. Abbreviated options are not guessed: a later one would change them."""

    def __init__(self, **given: Any) -> None:
        given.setdefault("allow_abbrev", False)
        given.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**given)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """`parse_args`, with the nearest option for one that is not there.

        A command whose defaults have a list `further` gets there the words that stand behind an option, which argparse
        would not take for its arguments.
        """
        parsed, extra = self.parse_known_args(arguments)
        if hasattr(parsed, "further"):
            parsed.further = [word for word in extra if not word.startswith("-")]
            extra = [word for word in extra if word.startswith("-")]
        if not extra:
            return parsed
        reached = self._reached(parsed)
        unknown = extra[0].partition("=")[0]
        if not unknown.startswith("-"):
            raise wrong(f"{reached.prog} takes no argument {extra[0]!r}", _after(reached, arguments))
        if known := elsewhere.option(reached.prog, unknown):
            raise wrong(*known)
        raise wrong(
            f"{reached.prog} has no option {unknown}", suggestion(unknown, options(reached), f"{reached.prog} --help")
        )

    def error(self, message: str) -> Any:
        raise wrong(f"{self.prog}: {message}", f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):
            step = suggestion(str(value), choices, "", prefix=f"{self.prog} ") or f"{self.prog} --help"
            raise wrong(f"{self.prog} has no command {str(value)!r}", step)
        name = "/".join(action.option_strings) or action.metavar or action.dest
        raise wrong(f"{name} cannot be {str(value)!r}", f"one of {', '.join(choices)}")

    def _reached(self, parsed: argparse.Namespace) -> argparse.ArgumentParser:
        """The parser of the command, or of its verb, that was given."""
        here: argparse.ArgumentParser = self
        for name in (getattr(parsed, "command", None), getattr(parsed, "verb", None)):
            here = branches(here).get(name or "", here)
        return here


def _after(reached: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """What to type in place of a command with words that it does not take: some are kubectl's, too."""
    help = f"{reached.prog} --help"
    return f"{help}; of objects: {shlex.join(['kubectl', *arguments])}" if arguments[0] in SHARED else help


def wrong(cause: str, next_step: str) -> Failure:
    return Failure([(cause, next_step)], WRONG_USAGE)


def branches(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands, by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
