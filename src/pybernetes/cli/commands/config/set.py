"""p8s config set"""

import argparse

from pybernetes.cli.console import Console
from pybernetes.cluster import preferences
from pybernetes.cluster.options import read

EXAMPLES = """examples:
  p8s config set oci-runtime runc
  p8s config set registry-mirror docker.io=http://127.0.0.1:5000 quay.io=http://127.0.0.1:5001"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="OPTION")
    parser.add_argument("value", nargs="+", metavar="VALUE", help="several only for options that hold a list")


def run(arguments: argparse.Namespace, console: Console) -> int:
    value = arguments.value[0] if len(arguments.value) == 1 else arguments.value
    kept = preferences.load()
    kept[arguments.name] = read(arguments.name, value)
    preferences.save(kept)
    return 0
