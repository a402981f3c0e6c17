"""Completion scripts, made of the parser itself, so that they know what it knows.

What a cluster has (objects, namespaces, nodes) and which profiles there are is looked up when asked (`offers.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from pybernetes.cli.offers import COMMAND, PLACES
from pybernetes.cli.parser import branches

FISH_OFFERS = f"(p8s {COMMAND} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)"
PROFILES = "p8s profile list -o name 2>/dev/null"


@dataclass(frozen=True, slots=True)
class Choice:
    """An option: its names, what it does, and what may follow it ("" where anything may)."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command line has got to: the commands so far, what may come next."""

    path: tuple[str, ...]
    commands: dict[str, str]
    options: tuple[Choice, ...]


def places(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Place]:
    """Every place of the parser's tree, the top first."""
    below = branches(parser)
    commands = {name: each.description or "" for name, each in below.items()}
    options = tuple(_choice(action) for action in parser._actions if action.option_strings)
    yield Place(path, commands, options)
    for name, each in below.items():
        yield from places(each, (*path, name))


def _choice(action: argparse.Action) -> Choice:
    values = tuple(str(value) for value in action.choices or ())
    text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help).partition(" (default")[0]
    return Choice(tuple(action.option_strings), text, action.nargs != 0, values)


def _words(place: Place) -> list[str]:
    return [*place.commands, *(name for option in place.options for name in option.names if name.startswith("--"))]


def _joined(path: tuple[str, ...]) -> str:
    return " ".join(("p8s", *path))


def _steps(every: list[Place]) -> str:
    """The words that lead from a place to the next, as patterns of a shell's `case`."""
    return "|".join(f'"{_joined(place.path)}"' for place in every if place.path)


def _values(every: list[Place], offer: str) -> str:
    """A branch of a shell's `case` for each option with known values; `offer` is the shell's way to offer them."""
    return "\n".join(
        f"    {_alternatives(place, option)}) {offer.format(' '.join(option.values))}; return;;"
        for place in every
        for option in place.options
        if option.values
    )


def _offering() -> str:
    """The places where a cluster knows what may come, as patterns of a shell's `case`."""
    return "|".join(f'"{_joined(path)}"' for path in PLACES)


def bash(parser: argparse.ArgumentParser) -> str:
    every = list(places(parser))
    steps = _steps(every)
    words = "\n".join(f'    "{_joined(place.path)}") words="{" ".join(_words(place))}";;' for place in every)
    values = _values(every, 'COMPREPLY=($(compgen -W "{}" -- "$current"))')
    return f"""# bash completion of p8s: source <(p8s completion bash)
_p8s() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} place=p8s words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$place $word" in {steps}) place="$place $word";; esac
  done
  case $previous in
    -p|--profile) COMPREPLY=($(compgen -W "$({PROFILES})" -- "$current")); return;;
  esac
  case "$place $previous" in
{values}
  esac
  case $place in
{words}
  esac
  case $current in
    -*) ;;
    *) case $place in {_offering()}) words=$(p8s {COMMAND} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null);; esac;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # A kind is typed on, to a name.
  case ${{COMPREPLY[0]}} in */) compopt -o nospace 2>/dev/null;; esac
}}
complete -o default -F _p8s p8s
"""


def _alternatives(place: Place, option: Choice) -> str:
    return "|".join(f'"{_joined(place.path)} {name}"' for name in option.names)


def zsh(parser: argparse.ArgumentParser) -> str:
    every = list(places(parser))
    steps = _steps(every)
    cases = "\n".join(f'    "{_joined(place.path)}") candidates=({" ".join(_described(place))});;' for place in every)
    values = _values(every, "compadd -- {}")
    return f"""#compdef p8s
# zsh completion of p8s: source <(p8s completion zsh)
_p8s() {{
  local place=p8s word
  local -a candidates
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$place $word" in {steps}) place="$place $word";; esac
  done
  case $words[CURRENT-1] in
    -p|--profile) compadd -- $({PROFILES}); return;;
  esac
  case "$place $words[CURRENT-1]" in
{values}
  esac
  case $words[CURRENT] in
    -*) ;;
    *) case $place in {_offering()})
         local -a offers
         offers=(${{(f)"$(p8s {COMMAND} "${{(@)words[2,CURRENT]}}" 2>/dev/null)"}})
         if (( $#offers )); then
           compadd -S '' -- ${{(M)offers:#*/}}; compadd -- ${{offers:#*/}}
           return 0
         fi;;
       esac;;
  esac
  case $place in
{cases}
  esac
  _describe p8s candidates || _files
}}
# Loaded from $fpath this is the function itself, else it is made known.
if [ "$funcstack[1]" = "_p8s" ]; then _p8s; else compdef _p8s p8s; fi
"""


def _described(place: Place) -> Iterator[str]:
    for name, help in place.commands.items():
        yield _quoted(f"{name}:{help}")
    for option in place.options:
        for name in option.names:
            if name.startswith("--"):
                yield _quoted(f"{name}:{option.help}")


def fish(parser: argparse.ArgumentParser) -> str:
    lines = ["# fish completion of p8s: p8s completion fish | source"]
    for place in places(parser):
        condition = _condition(place)
        for name, help in place.commands.items():
            lines.append(f"complete -c p8s -f -n {condition} -a {name} -d {_quoted(help)}")
        for option in place.options:
            lines.append(f"complete -c p8s -n {condition} {_fish_option(option)} -d {_quoted(option.help)}")
        if place.path in PLACES:
            lines.append(f"complete -c p8s -f -n {condition} -a {_quoted(FISH_OFFERS)}")
    return "\n".join(lines) + "\n"


def _condition(place: Place) -> str:
    seen = [f"__fish_seen_subcommand_from {name}" for name in place.path]
    if place.commands:
        seen.append(f"not __fish_seen_subcommand_from {' '.join(place.commands)}")
    return _quoted("; and ".join(seen) or "true")


def _fish_option(option: Choice) -> str:
    parts = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if "--profile" in option.names:
        parts.append(f"-x -a {_quoted(f'({PROFILES})')}")
    elif "--namespace" in option.names:
        parts.append(f"-x -a {_quoted(FISH_OFFERS)}")
    elif option.values:
        parts.append(f"-x -a {_quoted(' '.join(option.values))}")
    elif option.takes_value:
        parts.append("-r")
    return " ".join(parts)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "").replace("'", "’") + "'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
