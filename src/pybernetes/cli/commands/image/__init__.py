"""p8s image: the images of a cluster, which every node of this machine has."""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cli.groups import add_verbs, run_verb
from pybernetes.cli.profiles import add_profile

EXAMPLES = """examples:
  sudo p8s image build -t hostname .
  sudo p8s image ls
  sudo p8s image pull nginx:1.27
  docker save myapp | sudo p8s image load
  sudo p8s image tag myapp registry.example/team/myapp:1
  sudo p8s image push registry.example/team/myapp:1"""

VERBS = {
    "build": "build an image from a Dockerfile",
    "ls": "list images",
    "pull": "fetch images from their registries",
    "push": "upload images to the registries of their names",
    "load": "load a docker or OCI archive",
    "save": "write images to an archive that every engine loads",
    "tag": "give an image one more name",
    "rm": "take names or images away",
    "prune": "delete images without a name, and what builds have left",
    "inspect": "show all that is known of images",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_verbs(parser, __name__, VERBS)


def run(arguments: argparse.Namespace, console: Console) -> int:
    return run_verb(arguments, __name__, console)
