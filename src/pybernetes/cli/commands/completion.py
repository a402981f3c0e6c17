"""p8s completion"""

import argparse

from pybernetes.cli.completion import SHELLS
from pybernetes.cli.console import Console

EXAMPLES = """examples:
  source <(p8s completion bash)                                  in this shell
  p8s completion bash > ~/.local/share/bash-completion/completions/p8s
  p8s completion zsh > "${fpath[1]}/_p8s"
  p8s completion fish > ~/.config/fish/completions/p8s.fish"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=list(SHELLS))


def run(arguments: argparse.Namespace, console: Console) -> int:
    from pybernetes.cli.main import COMMANDS, build_parser

    console.line(SHELLS[arguments.shell](build_parser(*COMMANDS)).rstrip())
    return 0
