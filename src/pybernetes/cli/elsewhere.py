"""What people type who come from other tools: words that p8s has not, and what to type in their place here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

KUBECTL: Final = frozenset(
    [
        "annotate",
        "api-resources",
        "apply",
        "attach",
        "auth",
        "autoscale",
        "cluster-info",
        "cordon",
        "cp",
        "create",
        "debug",
        "describe",
        "diff",
        "drain",
        "edit",
        "events",
        "exec",
        "explain",
        "expose",
        "get",
        "label",
        "patch",
        "port-forward",
        "replace",
        "rollout",
        "run",
        "scale",
        "set",
        "taint",
        "top",
        "uncordon",
        "wait",
    ]
)
"""kubectl's own commands, as far as p8s has none of the name."""

COMMANDS: Final = {
    "ssh": (
        "nodes are this machine: there is nothing to log in to",
        "kubectl debug node/NODE -it --image=busybox; images and files are yours to see: p8s image ls, p8s df",
    ),
    "dashboard": ("there is no dashboard yet", "p8s status; p8s why -A"),
    "cache": ("what is pulled, built or loaded stays: there is no cache to fill", "p8s image pull IMAGE"),
    "podman-env": ("images are built by docker or by p8s itself", "eval $(p8s docker-env), or p8s image build"),
    "update-check": ("nothing is asked from outside", "p8s version"),
    "options": ("options belong to commands", "p8s COMMAND --help"),
    "up": ("that is start here", "p8s start"),
    "down": ("that is stop (all is kept) or delete (nothing is) here", "p8s stop, or p8s delete"),
    "build": ("that is a command of image", "p8s image build -t NAME DIRECTORY"),
    "load": ("that is a command of image", "p8s image load FILE"),
    "pull": ("that is a command of image", "p8s image pull IMAGE"),
    "push": ("that is a command of image", "p8s image push IMAGE"),
    "images": ("that is image ls here", "p8s image ls"),
    "nodes": ("that is node list here", "p8s node list"),
    "cluster": ("that is start, stop and delete here", "p8s start --profile NAME"),
}
"""Of minikube, kind, k3d and docker: what is so here, and what to type."""

_MACHINE: Final = "a node has what this machine has: nothing is set aside for it"
_BUILT_IN: Final = "all is built in and on"
OPTIONS: Final = {
    "--driver": ("there are no drivers: containers run on this machine itself", "leave it out: p8s start"),
    "--vm-driver": ("there are no drivers: containers run on this machine itself", "leave it out: p8s start"),
    "--cpus": (_MACHINE, "leave it out; kubectl create quota bounds a namespace"),
    "--memory": (_MACHINE, "leave it out; kubectl create quota bounds a namespace"),
    "--disk-size": (_MACHINE, "leave it out; p8s df shows what is used"),
    "--kubernetes-version": ("it is one version of Kubernetes, which p8s version tells", "leave it out: p8s start"),
    "--container-runtime": ("containers are run by p8s itself, or by runc or crun", "p8s start --oci-runtime runc"),
    "--cni": ("the network is built in, NetworkPolicies too", "leave it out: p8s start"),
    "--network-plugin": ("the network is built in, NetworkPolicies too", "leave it out: p8s start"),
    "--addons": (_BUILT_IN, "leave it out; p8s addons list"),
    "--mount": ("paths of this machine are there for hostPath volumes", "leave it out; p8s mount shows one elsewhere"),
    "--mount-string": ("paths of this machine are there for hostPath volumes", "p8s mount HOST:NODE, once it runs"),
    "--force": ("nothing has to be forced", "p8s start --dry-run says what is in the way"),
    "--image-mirror-country": ("mirrors are named by registry", "p8s start --registry-mirror docker.io=URL"),
}
"""Of `minikube start`."""


def command(words: Sequence[str]) -> tuple[str, str] | None:
    """For words that begin with no command of p8s: why there is none, and what to type."""
    first, *rest = words
    if first in KUBECTL:
        return f"{first} is a command of kubectl, not of p8s", shlex.join(["kubectl", first, *rest])
    if first == "help":
        return "help is an option", f"p8s {shlex.join([*rest[:1], '--help'])}"
    if first in COMMANDS:
        cause, step = COMMANDS[first]
        return f"p8s has no command {first!r}: {cause}", step
    return None


def option(prog: str, name: str) -> tuple[str, str] | None:
    """For an option that a command has not."""
    found = OPTIONS.get(name) if prog == "p8s start" else None
    return (f"{prog} has no option {name}: {found[0]}", found[1]) if found else None
