"""Stages and behaviours as they are written: in a rule of a file, or in a pod's annotations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Final

from msgspec.structs import replace

from pybernetes import flags
from pybernetes.api.quantity import Quantity, QuantityError
from pybernetes.simulator.names import GROUP, annotation
from pybernetes.simulator.stages import CONCERNS, PULL, READY, RUN, STAGES, START, STOP, Behaviour, Logs, Stage


class StagesError(ValueError):
    """The configuration cannot be used; the message says where and why."""


def seconds_of(value: Any, where: str) -> float:
    """A number of seconds, a duration ("1m30s"), or "never"."""
    if value == "never":
        return inf
    try:
        found = float(value) if isinstance(value, (int, float)) else flags.duration(str(value))
    except ValueError:
        raise StagesError(f'{where}: {value!r} is no duration: write seconds, "1m30s" or "never"') from None
    if found < 0:
        raise StagesError(f"{where}: {value!r} is negative")
    return found


def stage_of(tree: Any, where: str) -> Stage:
    """A stage as it is written. Raises StagesError."""
    if not isinstance(tree, Mapping):
        raise StagesError(f"{where}: a stage is a map, as in {{after: 2s, fail: ErrImagePull}}")
    known = ("after", "jitter", "fail", "message", "chance", "times", "exit", "container")
    refuse_unknown(tree, known, where)
    reason = _reason(tree.get("fail", ""), where)
    try:
        return Stage(
            after=seconds_of(tree.get("after", 0), f"{where}.after"),
            jitter=seconds_of(tree.get("jitter", 0), f"{where}.jitter"),
            fail=reason,
            message=str(tree.get("message", "")),
            chance=chance_of(tree.get("chance", 1), f"{where}.chance"),
            times=int(tree.get("times", 0)),
            exit=int(tree.get("exit", KILLED if reason == "OOMKilled" else bool(reason))),
            container=str(tree.get("container", "")),
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, StagesError):
            raise
        raise StagesError(f"{where}: {error}") from error


KILLED: Final = 137
_REASONS: Final = {
    PULL: "ErrImagePull",
    START: "CreateContainerError",
    READY: "Unhealthy",
    RUN: "Error",
    STOP: "Timeout",
}


def _reason(value: Any, where: str) -> str:
    """`fail: true` is the stage's usual failure."""
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        stage = where.rpartition(".")[2]
        return _REASONS.get(stage, "Error") if str(value).lower() == "true" else ""
    return str(value)


def chance_of(value: Any, where: str) -> float:
    text = str(value)
    found = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= found <= 1:
        raise StagesError(f"{where}: {value!r} is not between 0 and 1")
    return found


def refuse_unknown(tree: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [str(name) for name in tree if name not in known]
    if unknown:
        raise StagesError(f"{where}: unknown field {unknown[0]!r}; there are: {', '.join(known)}")


def written(text: str) -> dict[str, str]:
    """`after=2s,fail=ErrImagePull` as a map: how a stage stands in an annotation."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return {key.strip(): value.strip() for key, _, value in pairs}


def behaviour_of(tree: Mapping[str, Any], where: str) -> Behaviour:
    """What a rule says, `match` aside. Raises StagesError."""
    stages = {name: stage_of(tree[name], f"{where}.{name}") for name in STAGES if name in tree}
    answers = tree.get("exec") or {}
    if not isinstance(answers, Mapping):
        raise StagesError(f"{where}.exec: a map of commands to their output")
    return Behaviour(
        stages=stages,
        logs=_logs_of(tree["logs"], f"{where}.logs") if "logs" in tree else None,
        exec={str(command): str(output) for command, output in answers.items()},
        cpu=_amount(tree.get("cpu", ""), f"{where}.cpu"),
        memory=_amount(tree.get("memory", ""), f"{where}.memory"),
    )


def _logs_of(tree: Any, where: str) -> Logs:
    """Lines, or a map of `lines` and `every`."""
    if isinstance(tree, str):
        return Logs(tuple(tree.splitlines()))
    if isinstance(tree, list):
        return Logs(tuple(str(line) for line in tree))
    if not isinstance(tree, Mapping):
        raise StagesError(f"{where}: a text, a list of lines, or {{lines: [...], every: 1s}}")
    refuse_unknown(tree, ("lines", "every"), where)
    return replace(_logs_of(tree.get("lines", []), where), every=seconds_of(tree.get("every", 0), f"{where}.every"))


def _amount(value: Any, where: str) -> str:
    text = str(value)
    try:
        if text.endswith("%"):
            float(text[:-1])
        elif text:
            Quantity.parse(text)
    except (QuantityError, ValueError):
        raise StagesError(
            f'{where}: {text!r} is no amount: write "250m", "64Mi", or a part of the request, "80%"'
        ) from None
    return text


def of_annotations(annotations: Mapping[str, str]) -> tuple[Behaviour, list[str]]:
    """What a pod says of itself, and what of that cannot be understood."""
    tree: dict[str, Any] = {}
    wrong: list[str] = []
    for concern in CONCERNS:
        text = annotations.get(annotation(concern))
        if text is None:
            continue
        try:
            value = _annotated(concern, text)
            behaviour_of({concern: value}, GROUP)
        except StagesError as error:
            wrong.append(str(error).replace(f"{GROUP}.", f"{GROUP}/", 1))
        else:
            tree[concern] = value
    return behaviour_of(tree, GROUP), wrong


def _annotated(concern: str, text: str) -> Any:
    if concern in STAGES:
        return written(text)
    if concern == "exec":
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise StagesError(f"{annotation(concern)}: {error}") from error
    return text
