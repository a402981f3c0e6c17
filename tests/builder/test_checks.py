"""What docker's checks find, by table; the messages are docker's."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from pybernetes.builder.build import build
from pybernetes.builder.dockerfile.checks import Finding, Policy, examine, undefined
from pybernetes.builder.dockerfile.source import read, read_one
from pybernetes.builder.dockerfile.stages import divide
from pybernetes.builder.errors import BuildError
from pybernetes.builder.progress import Event, Warned
from pybernetes.builder.request import BuildRequest
from pybernetes.cri.building import BuildService

PLATFORM = {"TARGETPLATFORM": "linux/amd64", "BUILDPLATFORM": "linux/amd64", "TARGETARCH": "amd64"}


def found(text: str) -> list[str]:
    document = read(text)
    findings = examine(document, divide(document, {}, PLATFORM), tuple(PLATFORM))
    return [f"{each.line} {each}" for each in findings]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "FROM a\nENTRYPOINT ./start.sh",
            "2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
        ),
        ("FROM a\nENTRYPOINT [\"./start.sh\"]", ""),
        ("FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nCMD ./start.sh", ""),
        ("FROM a AS Build", "1 StageNameCasing: Stage name 'Build' should be lowercase"),
        ("FROM a as build", "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"),
        ("from a as build", ""),
        (
            "FROM a\nrun b",
            "2 ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)",
        ),
        ("FROM a\nRUN b \\\n\n  && c", "3 NoEmptyContinuation: Empty continuation line"),
        ("FROM a AS b\nFROM a AS b", '2 DuplicateStageName: Duplicate stage name "b", stage names should be unique'),
        (
            "FROM a AS scratch",
            '1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"',
        ),
        ("FROM ${BASE:-a}", ""),
        ("ARG BASE=a\nFROM $BASE", ""),
        (
            "FROM a$BASE",
            "1 UndefinedArgInFrom: FROM argument 'BASE' is not declared",
        ),
        (
            "FROM --platform=$TARGETPLATFORM a",
            "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
        ),
        ("FROM --platform=$BUILDPLATFORM a", ""),
        (
            "FROM --platform=linux/arm64 a",
            '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/arm64"',
        ),
        ("FROM --platform=linux/arm64 a AS build_arm64", ""),
        (
            "FROM a\nWORKDIR app",
            '2 WorkdirRelativePath: Relative workdir "app" can have unexpected results if the base image changes',
        ),
        ("FROM a\nWORKDIR /app\nWORKDIR sub", ""),
        ("FROM a AS b\nWORKDIR /app\nFROM b\nWORKDIR sub", ""),
        (
            "FROM a\nCMD [\"b\"]\nCMD [\"c\"]",
            "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        ),
        (
            "FROM a\nENV NAME value",
            '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
        ),
        (
            "FROM a\nARG API_TOKEN",
            '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
        ),
        ("FROM a\nENV PUBLIC_KEY=x", ""),
        ("FROM a\nENV KEYBOARD=x", ""),
        ("FROM a\nMAINTAINER me", "2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"),
        (
            "FROM a\nEXPOSE 80/TCP",
            "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
        ),
        (
            "FROM a\nEXPOSE 127.0.0.1:80:80",
            "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
        ),
        ("FROM a\nRUN echo $UNKNOWN\nCOPY . .", ""),
    ],
)  # fmt: skip
def test_what_is_unwise(text: str, said: str) -> None:
    assert found(text) == ([said] if said else [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("COPY $from /", ["from"]),
        ("COPY ${from:-.} /", []),
        ("COPY '$from' /", []),
        (r"ENV A=\$b", []),
        ("ENV A=$PATH B=$b C=$A", ["b"]),
        ("RUN echo $shell", []),
    ],
)
def test_variables_that_nothing_has_set(text: str, names: list[str]) -> None:
    findings = undefined(read_one(text, "\\", 1), ["PATH"])
    assert [str(each) for each in findings] == [
        f"UndefinedVar: Usage of undefined variable '${name}'" for name in names
    ]


def test_a_directive_leaves_rules_out() -> None:
    finding = Finding("JSONArgsRecommended", "", 1)
    assert not Policy.read("skip=StageNameCasing, JSONArgsRecommended").applies(finding)
    assert not Policy.read("skip=all;error=true").applies(finding)
    assert Policy.read("error=true").applies(finding)


@pytest.mark.parametrize(("directive", "fails"), [("", False), ("# check=error=true\n", True), ("# check=skip=JSONArgsRecommended;error=true\n", False)])  # fmt: skip
def test_a_check_builds_nothing(directive: str, fails: bool) -> None:
    told: list[Event] = []
    request = BuildRequest(text=f"{directive}FROM a\nCMD b\n", only_check=True)
    nobody = cast(BuildService, None)
    if fails:
        with pytest.raises(BuildError, match="lint violation found for rules: JSONArgsRecommended"):
            asyncio.run(build(request, nobody, told.append))
    else:
        assert asyncio.run(build(request, nobody, told.append)).id == ""
    assert len([each for each in told if isinstance(each, Warned)]) == ("skip" not in directive)
