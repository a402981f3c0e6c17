"""p8s docker-env"""

import argparse
import os
import shlex
from collections.abc import Mapping

from pybernetes.cli.console import NOT_RUNNING, Console, Failure
from pybernetes.cli.profiles import absent, add_output, add_profile, running
from pybernetes.cluster import docker
from pybernetes.cluster.preferences import command
from pybernetes.cluster.profile import check_name, is_roots, profile_names

EXAMPLES = """examples:
  eval $(p8s docker-env)                 from now on docker builds, tags and pushes images of the cluster
  p8s docker-env --shell fish | source
  eval $(p8s docker-env --unset)

docker's containers are not served: pods are kubectl's. The socket belongs to who started the cluster (or to root): with
it images can be changed that the cluster runs, which is as much as root."""

SHELLS = ("sh", "bash", "zsh", "fish", "tcsh", "powershell", "none")
_OTHERS = ("DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY")
"""What would lead docker elsewhere."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_output(parser)
    parser.add_argument("--shell", choices=SHELLS, help="whose syntax (default: that of $SHELL)")
    parser.add_argument("-u", "--unset", action="store_true", help="take the variables away again")


def run(arguments: argparse.Namespace, console: Console) -> int:
    name = check_name(arguments.profile)
    variables = environment(name)
    if arguments.unset:
        variables = dict.fromkeys(variables, None)
    elif name in profile_names():
        running(arguments)
    else:
        check(name)
    if arguments.output == "json":
        console.json(variables)
        return 0
    shell = arguments.shell or os.path.basename(os.environ.get("SHELL", "sh"))
    for line in lines(variables, shell):
        console.line(line)
    if not arguments.unset:
        console.line(f"# to have docker speak to this cluster: {hint(name, shell)}")
    return 0


def environment(name: str) -> dict[str, str | None]:
    """Variables and values; None for those that have to go."""
    found: dict[str, str | None] = dict.fromkeys((each for each in _OTHERS if each in os.environ), None)
    return {
        **found,
        "DOCKER_HOST": f"unix://{docker.socket(name)}",
        "DOCKER_BUILDKIT": "0",
        "P8S_ACTIVE_DOCKERD": name,
    }


def check(name: str) -> None:
    """Raises Failure unless the caller can use the socket of a cluster that is not theirs, as one started by sudo."""
    path = docker.socket(name)
    if not is_roots(name):
        raise absent(name)
    try:
        os.stat(path)
    except FileNotFoundError:
        raise Failure([(f"cluster {name!r} is stopped", f"sudo {command('start', name)}")], NOT_RUNNING) from None
    except PermissionError:
        raise Failure(
            [(f"cluster {name!r} belongs to root, who alone may use its images", f"sudo {command('docker-env', name)}")]
        ) from None
    if not os.access(path, os.R_OK | os.W_OK):
        raise Failure([(f"{path} belongs to another user, who started the cluster", "sudo -E docker ...")])


def lines(variables: Mapping[str, str | None], shell: str) -> list[str]:
    """Commands of the shell that set what has a value and unset what has none."""
    said = []
    for name, value in variables.items():
        quoted = "" if value is None else shlex.quote(value)
        match shell:
            case "fish":
                said.append(f"set -e {name};" if value is None else f"set -gx {name} {quoted};")
            case "tcsh" | "csh":
                said.append(f"unsetenv {name};" if value is None else f"setenv {name} {quoted};")
            case "powershell" | "pwsh":
                said.append(f"Remove-Item Env:\\{name}" if value is None else f'$Env:{name} = "{value}"')
            case "none":
                said.append(f"{name}" if value is None else f"{name}={value}")
            case _:
                said.append(f"unset {name}" if value is None else f"export {name}={quoted}")
    return said


def hint(name: str, shell: str) -> str:
    typed = command("docker-env", name)
    if shell == "fish":
        return f"{typed} --shell fish | source"
    if shell in ("powershell", "pwsh"):
        return f"& {typed} --shell powershell | Invoke-Expression"
    return f"eval $({typed})"
