"""What a start can be told, by flag, by file or by preference: one table, so that all three agree in name and check."""

from __future__ import annotations

import argparse
import importlib
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybernetes.cluster.errors import ClusterError, suggestion
from pybernetes.cluster.profile import Profile, check_name
from pybernetes.wire.numbers import parse_number

RUNTIMES = ("auto", "builtin", "runc", "crun")
ENDLESS = 3600.0 * 24
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")


class OptionError(ClusterError):
    """An option that does not exist, cannot have that value, or cannot be changed any more."""


class WrongOptionError(OptionError):
    """It was written so on the command line."""

    is_usage = True


@dataclass(frozen=True, slots=True)
class Option:
    """`name` is its flag without dashes, `setting` the field of Settings that keeps it ("" if nothing keeps it).

    `read` makes a value of what a file or a command line holds; it raises ValueError. One that is `fixed` belongs to
    what a cluster has stored, and is decided by its first start.
    """

    name: str
    setting: str
    read: Callable[[Any], Any]
    help: str
    fixed: bool = False


def _port(value: Any) -> int:
    port = parse_number(str(value), 65535)
    if not port:
        raise ValueError("it is no port")
    return port


def _runtime(value: Any) -> str:
    if value not in RUNTIMES:
        raise ValueError(f"{value!r} is none of {', '.join(RUNTIMES)}")
    return str(value)


def _store(value: Any) -> str:
    if value != "sqlite" and not str(value).startswith("etcd://"):
        raise ValueError(f"there is no store {value!r}")
    return str(value)


def _several(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _mirrors(value: Any) -> list[str]:
    """`REGISTRY=URL`, or a mapping of registries to URLs."""
    mirrors = [f"{name}={url}" for name, url in value.items()] if isinstance(value, dict) else _several(value)
    for mirror in mirrors:
        registry, _, url = mirror.partition("=")
        if not registry or not url.startswith(("http://", "https://")):
            raise ValueError(f"{mirror!r} is not REGISTRY=URL")
    return mirrors


def _hosts(value: Any) -> list[str]:
    hosts = _several(value)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not HOST[:PORT]")
    return hosts


_CONFIGURED = {
    "apiserver": "pybernetes.apiserver.options",
    "controller-manager": "pybernetes.controllers.options",
    "kubelet": "pybernetes.kubelet.options",
    "scheduler": "pybernetes.scheduler.options",
}
"""The components that can be given flags, and where these are listed."""
_FILES = ("-file", "-config", "cafile", "certfile", "keyfile", "kubeconfig")
"""How flags end that name files which a component reads."""


def _check_flag(component: str, flag: str, value: str) -> None:
    """Raises ValueError, ArgumentTypeError."""
    parser: argparse.ArgumentParser = importlib.import_module(_CONFIGURED[component]).parser()
    action = parser._option_string_actions.get(f"--{flag}")
    if action is None:
        raise ValueError(f"{component} has no flag --{flag}: p8s {component} --help shows them")
    if callable(action.type):
        action.type(value)


def _flags(value: Any) -> list[str]:
    """`COMPONENT.FLAG=VALUE`, each a flag that its component has; files by their whole paths, for a component has
    another working directory."""
    found = []
    for each in _several(value):
        component, dot, rest = each.partition(".")
        flag, equals, wanted = rest.partition("=")
        if not (dot and equals):
            raise ValueError(f"{each!r} is not COMPONENT.FLAG=VALUE")
        if component not in _CONFIGURED:
            raise ValueError(f"{component!r} is none of {', '.join(_CONFIGURED)}")
        _check_flag(component, flag, wanted)
        found.append(f"{component}.{flag}={_located(flag, wanted)}")
    return found


def _located(flag: str, value: str) -> str:
    """The value of a flag that names files; they have to be there. Raises ValueError."""
    if not flag.endswith(_FILES):
        return value
    paths = [Path(part).absolute() for part in value.split(",") if part]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"--{flag}: there is no file {path}")
    return ",".join(map(str, paths))


def _count(value: Any) -> int:
    count = parse_number(str(value).removeprefix("-"))
    if count is None:
        raise ValueError("it is no whole number")
    if count < 1 or str(value).startswith("-"):
        raise ValueError("there is at least one node")
    return count


def _boolean(value: Any) -> bool:
    words = {"true": True, "false": False}
    if str(value).lower() not in words:
        raise ValueError(f"{value!r} is neither true nor false")
    return words[str(value).lower()]


def waiting(value: Any) -> float:
    """`--wait`: seconds, or true and false."""
    words = {"true": 60.0, "false": 0.0}
    text = str(value).lower()
    try:
        seconds = words[text] if text in words else float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= ENDLESS:
        raise ValueError("it is neither seconds nor true or false")
    return seconds


OPTIONS = (
    Option("profile", "", check_name, "which cluster of this machine commands are about"),
    Option("api-port", "api_port", _port, "port of the API server on 127.0.0.1", fixed=True),
    Option("store", "store", _store, "where objects are kept: sqlite or etcd://HOST:PORT[,HOST:PORT...]", fixed=True),
    Option("oci-runtime", "oci_runtime", _runtime, "what executes containers: " + ", ".join(RUNTIMES)),
    Option("registry-mirror", "registry_mirrors", _mirrors, "REGISTRY=URL: pull a registry's images from there"),
    Option("insecure-registry", "insecure_registries", _hosts, "HOST[:PORT]: a registry without TLS"),
    Option("extra-config", "extra_config", _flags, "COMPONENT.FLAG=VALUE: a flag for one of " + ", ".join(_CONFIGURED)),
    Option("nodes", "", _count, "how many nodes the cluster has on this machine"),
    Option("simulated", "", _boolean, "true: the whole control plane, with nodes without machines"),
    Option("stages", "", str, "a file: what simulated pods and nodes are to do"),
    Option("wait", "", waiting, "seconds to wait for the cluster to be ready, or false"),
)


def option(name: str) -> Option:
    """Raises WrongOptionError, with the nearest that there is."""
    for each in OPTIONS:
        if each.name == name:
            return each
    names = [each.name for each in OPTIONS]
    step = suggestion(name.replace("_", "-"), names, f"one of {', '.join(names)}")
    raise WrongOptionError(f"there is no option {name!r}", step)


def read(name: str, value: Any) -> Any:
    """The value of an option as it was written on the command line. Raises WrongOptionError."""
    found = option(name)
    try:
        return found.read(value)
    except ClusterError as error:
        [problem] = error.problems
        raise WrongOptionError(problem.cause, problem.next_step) from error
    except (ValueError, TypeError, ArgumentTypeError) as error:
        raise WrongOptionError(f"{name} cannot be {value!r}: {error}", f"{name}: {found.help}") from error


def read_all(options: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Values by the names of their options, as the file `path` has them. Raises OptionError."""
    try:
        return {str(name): read(str(name), value) for name, value in options.items()}
    except OptionError as error:
        problem = error.problems[0]
        raise OptionError(f"{path}: {problem.cause}", problem.next_step) from error


def from_file(path: Path) -> dict[str, Any]:
    """Options by name, of a YAML file whose keys are the flags' names. Raises OptionError."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise OptionError(f"{path}: {said}", "p8s start --help shows an example") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(
            f"{path} does not hold options, one `name: value` a line", "p8s start --help shows an example"
        )
    return read_all(content, path)


def settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that a profile keeps as they are, by the name of their field."""
    return {found.setting: value for name, value in options.items() if (found := option(name)).setting}


def refuse_changes(profile: Profile, changes: Mapping[str, Any], *, running: bool) -> None:
    """Raises OptionError if an existing cluster would have to become another, or run on with what it was told before."""
    count, name = changes.get("nodes"), profile.name
    if running and count and count != len(profile.nodes):
        more = f"p8s node add --count {count - len(profile.nodes)} --profile {name}"
        less = f"p8s node delete {' '.join(node.name for node in profile.nodes[count:])} --profile {name}"
        raise OptionError(
            f"cluster {name!r} runs with {len(profile.nodes)} node{'s' * (len(profile.nodes) != 1)}",
            more if count > len(profile.nodes) else less,
        )
    for each in OPTIONS:
        if (
            not each.setting
            or each.setting not in changes
            or changes[each.setting] == getattr(profile.settings, each.setting)
        ):
            continue
        now = getattr(profile.settings, each.setting)
        wanted = changes[each.setting]
        if each.fixed:
            raise OptionError(
                f"cluster {name!r} was made with --{each.name} {shown(now)}, which cannot be changed to {shown(wanted)}",
                f"p8s start --profile OTHER --{each.name} {shown(wanted)}, or first p8s delete --profile {name}",
            )
        if running:
            flags = " ".join(
                f"--{each.name} {shown(one)}" for one in (wanted if isinstance(wanted, list) else [wanted])
            )
            raise OptionError(
                f"cluster {name!r} runs with --{each.name} {shown(now)}",
                f"p8s restart --profile {name} {flags} (containers go on running)",
            )


def shown(value: Any) -> str:
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)
