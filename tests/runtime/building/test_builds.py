"""Whole builds: Dockerfiles through the builder and the runtime, with their cache."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.processes import command_lines
from tests.runtime.building.conftest import Bench

from pybernetes.builder.build import build
from pybernetes.builder.errors import BuildError
from pybernetes.builder.progress import Event, StepDone, StepOutput, StepsCounted, StepStarted
from pybernetes.builder.request import BuildRequest
from pybernetes.cri.errors import CRIError
from pybernetes.cri.types import ImageSpec
from pybernetes.runtime.images.service import Images


async def built(bench: Bench, text: str, **more: object) -> tuple[dict[str, object], list[str], str]:
    """The image's config, its steps (with CACHED where they were), and what they printed."""
    events: list[Event] = []
    await_build = build(BuildRequest(str(bench.context), text=text, tags=["made"], **more), bench.door, events.append)  # type: ignore[arg-type]
    image = await await_build
    names = {event.number: event.name for event in events if isinstance(event, StepStarted)}
    steps = [
        ("CACHED " if event.cached else "") + names[event.number] for event in events if isinstance(event, StepDone)
    ]
    counted = [event.total for event in events if isinstance(event, StepsCounted)]
    assert counted[-1] == len(steps) == len(names)
    printed = b"".join(event.data for event in events if isinstance(event, StepOutput)).decode()
    config = json.loads((await bench.door.find_image(image.id, False)).config)
    return config, steps, printed


async def test_a_whole_build_and_again_from_the_cache(bench: Bench) -> None:
    (bench.context / "app.txt").write_text("app")
    text = """
FROM busybox AS build
ARG who=you
RUN echo hello $who && echo data > /data
FROM busybox
WORKDIR /srv
ENV A=1 B=${A:-none}
COPY --from=build /data .
COPY app.txt ./
RUN cat data app.txt; echo $A $B
CMD ["cat", "/srv/app.txt"]
"""
    config, _, printed = await built(bench, text, build_args={"who": "me"})
    assert "hello me" in printed
    assert "data\napp1 none\n" in printed
    assert config["config"]["WorkingDir"] == "/srv"  # type: ignore[index]
    again, cached, _ = await built(bench, text, build_args={"who": "me"})
    assert again == config
    assert all(step.startswith("CACHED") for step in cached if "FROM" not in step and "exporting" not in step)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory that is served, and its URL."""
    folder = tmp_path / "web"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


async def test_files_of_the_network(bench: Bench, web: tuple[Path, str]) -> None:
    """Kept as they are, private, with their date; found again by content; held to a checksum."""
    folder, url = web
    (folder / "a b[1].txt").write_text("first")
    os.utime(folder / "a b[1].txt", (86400 * 365, 86400 * 365))
    digest = hashlib.sha256(b"first").hexdigest()
    text = f"""
FROM busybox
ADD {url}/a%20b%5B1%5D.txt /all/
ADD --checksum=sha256:{digest} --chmod=644 --chown=7:8 {url}/a%20b%5B1%5D.txt?query=1 /one
RUN cat '/all/a b[1].txt' /one; stat -c '%a %u:%g %Y' '/all/a b[1].txt' /one
"""
    _, _, printed = await built(bench, text)
    assert "firstfirst600 0:0 31536000\n644 7:8 31536000\n" in printed
    _, steps, _ = await built(bench, text)
    assert all(step.startswith("CACHED") for step in steps if "ADD" in step or "RUN" in step)
    (folder / "a b[1].txt").write_text("second")
    with pytest.raises(
        BuildError, match=f"digest mismatch sha256:{hashlib.sha256(b'second').hexdigest()}: sha256:{digest}"
    ):
        await built(bench, text)
    with pytest.raises(BuildError, match="none: invalid response status 404"):
        await built(bench, f"FROM busybox\nADD {url}/none /")
    await bench.door.forget_builds()
    assert list((bench.root / "runtime/build-downloads").iterdir()) == []


def git(folder: Path, *arguments: str) -> None:
    own = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder), "PATH": os.environ["PATH"]}
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, env=own, check=True, capture_output=True)


async def test_a_git_repository(bench: Bench, web: tuple[Path, str], tmp_path: Path) -> None:
    """Its files as git has them, at a branch or a tag; a directory of it alone; with .git where that is wanted."""
    folder, url = web
    work = tmp_path / "work"
    (work / "docs").mkdir(parents=True)
    (work / "docs" / "page.txt").write_text("first")
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(work, "tag", "v1")
    (work / "docs" / "page.txt").write_text("second")
    git(work, "commit", "-qam", "two")
    git(folder, "clone", "-q", "--bare", str(work), "site.git")
    git(folder / "site.git", "update-server-info")
    text = f"""
FROM busybox
ADD {url}/site.git /new/
ADD {url}/site.git#v1:docs /old/
ADD --keep-git-dir=true {url}/site.git#main /whole/
RUN cat /new/docs/page.txt /old/page.txt; stat -c ' %a' /new/run.sh /new/docs/page.txt; ls -d /new/.git /whole/.git 2>&1; true
"""
    _, _, printed = await built(bench, text)
    assert printed.startswith("secondfirst 755\n 644\n")
    assert "/whole/.git\n" in printed
    assert "/new/.git: No such file" in printed
    with pytest.raises(
        BuildError, match=r"failed to load cache key: failed to fetch remote: .*couldn't find remote ref none"
    ):
        await built(bench, f"FROM busybox\nADD {url}/site.git#none /x/")


async def test_a_failing_step(bench: Bench) -> None:
    with pytest.raises(BuildError) as failed:
        await built(bench, "FROM busybox\n\nRUN echo oh no; exit 3\n")
    assert str(failed.value) == (
        'failed to solve: process "/bin/sh -c echo oh no; exit 3" did not complete successfully: exit code: 3'
    )
    assert ">>> RUN echo oh no" in failed.value.source
    assert failed.value.output == "oh no\n"


# Bad input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM busybox\nRNU a", "dockerfile parse error on line 2: unknown instruction: RNU (did you mean RUN?)"),
        ("FROM busybox\nCOPY nope /", 'failed to compute cache key: "/nope": not found'),
        ("FROM busybox\nRUN --mount=type=cache,target=/bin/sh true", 'cannot mount on "/bin/sh": not a directory'),
        ("FROM busybox\nRUN --mount=target=/m,source=nope true", 'failed to compute cache key: "/nope": not found'),
        ("FROM busybox\nCOPY a b c", "dockerfile parse error on line 2: When using COPY with more than one source file, the destination must be a directory and end with a /"),
        ("FROM busybox\nCOPY a", "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined"),
        ("FROM Nope", "couldn't parse image name \"Nope\": invalid reference format: repository name (library/Nope) must be lowercase"),
        ("FROM busybox\nRUN --security=insecure true", "granting entitlement security.insecure is not allowed by build daemon configuration"),
        ("FROM busybox\nRUN --network=host true", "granting entitlement network.host is not allowed by build daemon configuration"),
        ("FROM busybox\nRUN --mount=type=ssh,required true", "unset ssh forward key default"),
        ("FROM busybox\nRUN --mount=type=secret,id=s,required true", "secret s: not found"),
        ("FROM busybox\nADD https://example.com/x.git a /x/", "dockerfile parse error on line 2: ADD takes one git repository: write an instruction for each"),
        ("FROM busybox\nADD https://example.com/x.git#--upload-pack=id /x/", "dockerfile parse error on line 2: invalid git reference: --upload-pack=id"),
        ("FROM busybox\nADD https://example.com/ /x/", "dockerfile parse error on line 2: cannot determine filename for source https://example.com/"),
        ("FROM busybox\nADD http://127.0.0.1:1/x y /z/", "dockerfile parse error on line 2: ADD takes URLs or files of the context: write an instruction for each"),
        ("FROM busybox\nADD --checksum=sha256:1 http://127.0.0.1:1/x /", "dockerfile parse error on line 2: invalid checksum digest format: sha256:1"),
        ("FROM busybox\nADD --checksum=sha256:1 x /", "dockerfile parse error on line 2: checksum can't be specified for non-HTTP(S) sources"),
        ("FROM busybox\nADD http://127.0.0.1:1/x /", 'failed to load cache key: failed to do request: Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused'),
        ("FROM busybox\nSTOPSIGNAL SIGRTMIN+3\nSTOPSIGNAL 9\nSTOPSIGNAL term\nSTOPSIGNAL often", "dockerfile parse error on line 5: Invalid signal: often"),
        ("FROM busybox\nEXPOSE a", "dockerfile parse error on line 2: invalid containerPort: a"),
        ("FROM busybox\nCOPY --from=1 a /", "invalid from flag value 1: there is no such stage in front of this one"),
        ("FROM --platform=linux/s390x busybox", None),
        ("FROM busybox\nUSER nobody-here\nRUN true", "unable to find user nobody-here: no matching entries in passwd file"),
        ("FROM busybox\nSHELL sh", "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form: sh"),
        ("FROM busybox\nONBUILD FROM x", "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said(bench: Bench, text: str, message: str | None) -> None:
    with pytest.raises(BuildError) as failed:
        await built(bench, text)
    if message is None:
        assert "platform linux/s390x is not this machine's" in str(failed.value)
    else:
        assert str(failed.value) == f"failed to solve: {message}"
    assert ">>>" in failed.value.source


async def test_a_base_that_is_nowhere(bench: Bench) -> None:
    with pytest.raises(
        BuildError, match=r"failed to solve: nope:1: failed to resolve source metadata for docker\.io/library/nope:1: "
    ):
        await built(bench, "FROM nope:1")
    with pytest.raises(BuildError, match="failed to read dockerfile: open Dockerfile: no such file or directory"):
        await build(BuildRequest(str(bench.context)), bench.door, lambda event: None)
    with pytest.raises(BuildError, match='target stage "x" could not be found'):
        await built(bench, "FROM busybox", target="x")


# What instructions mean


async def test_metadata(bench: Bench) -> None:
    text = """
ARG tag=latest
FROM busybox:${tag}
ENV A=1 B=$A
ENV C $A and more
LABEL one=1 "two three"='4 5'
EXPOSE 80 8000-8002/udp $A
VOLUME /data
VOLUME ["/a b", "/c"]
USER www-data:0
WORKDIR /srv
WORKDIR app
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1m30s --retries=3 CMD wget -q localhost
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT echo $A
CMD ["x", "y"]
MAINTAINER somebody
"""
    config, _, _ = await built(bench, text, labels={"given": "yes"})
    assert config["author"] == "somebody"
    assert config["config"] == {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=", "C=1 and more"],
        "Labels": {"one": "1", "two three": "4 5", "given": "yes"},
        "ExposedPorts": {port: {} for port in ("80/tcp", "8000/udp", "8001/udp", "8002/udp", "1/tcp")},
        "Volumes": {"/data": {}, "/a b": {}, "/c": {}},
        "User": "www-data:0",
        "WorkingDir": "/srv/app",
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD-SHELL", "wget -q localhost"], "Interval": 90_000_000_000, "Retries": 3},
        "Shell": ["/bin/sh", "-ec"],
        "Entrypoint": ["/bin/sh", "-ec", "echo $A"],
        "Cmd": ["x", "y"],
    }
    history = config["history"]
    assert isinstance(history, list)
    assert sum(not line.get("empty_layer") for line in history) == len(config["rootfs"]["diff_ids"])  # type: ignore[index]


async def test_an_entrypoint_resets_the_command_of_its_base(bench: Bench) -> None:
    async def command(text: str) -> object:
        config = (await built(bench, f'FROM busybox AS base\nCMD ["old"]\nFROM base\n{text}'))[0]["config"]
        assert isinstance(config, dict)
        return config.get("Entrypoint"), config.get("Cmd")

    assert await command('ENTRYPOINT ["e"]') == (["e"], None)
    assert await command('CMD ["c"]\nENTRYPOINT ["e"]') == (["e"], ["c"])
    assert await command("") == (None, ["old"])


async def test_arguments(bench: Bench) -> None:
    text = """
ARG global=g
FROM busybox
ARG before
RUN echo "1 $global-$before-$given-$HTTP_PROXY-"
ARG global
ARG given=default
ENV shadow=env
ARG shadow=arg
RUN echo "2 $global-$given-$shadow-$TARGETARCH-"
ARG TARGETARCH
RUN echo "3 $TARGETARCH" | grep -c 64
"""
    config, _, printed = await built(bench, text, build_args={"given": "yes", "HTTP_PROXY": "p"})
    assert [line for line in printed.splitlines() if line[:1].isdigit()] == ["1 ---p-", "2 g-yes-env--", "1"]
    assert not any("given" in entry or "PROXY" in entry for entry in config["config"]["Env"])  # type: ignore[index]


async def test_arguments_of_a_stage_are_those_of_the_stages_on_it(bench: Bench) -> None:
    text = """
FROM busybox AS one
ARG a=1
ARG given=default
FROM one AS two
ARG b=2
FROM busybox AS none
RUN echo "none $a-$given-"
FROM two
COPY --from=none /etc/passwd /passwd
RUN echo "seen $a-$b-$given-"
"""
    _, _, printed = await built(bench, text, build_args={"given": "yes"})
    assert sorted(line for line in printed.splitlines() if "-" in line) == ["none --", "seen 1-2-yes-"]


async def test_the_network_and_the_hosts_of_steps_are_given_by_the_caller(bench: Bench) -> None:
    links = "ip -o link | grep -v @NONE | cut -d: -f2 | cut -d@ -f1"  # of the kernel's own tunnels there may be some
    text = f"FROM busybox\nRUN {links}; grep storage /etc/hosts\nRUN --network=default {links}"
    _, _, printed = await built(bench, text, network="none", hosts=["storage:10.1.2.3"])
    assert printed.partition("writing")[0].split() == ["lo", "10.1.2.3", "storage", "lo", "eth0"]
    _, steps, _ = await built(bench, text, network="none", hosts=["storage:10.1.2.4"])
    assert not any(step.startswith("CACHED") for step in steps)


async def test_a_cache_begins_with_files_of_a_stage(bench: Bench) -> None:
    """And what these are decides whether the step is done again."""
    text = """
FROM busybox AS seed
RUN mkdir /s && echo {} > /s/f
FROM busybox
RUN --mount=type=cache,from=seed,source=/s,target=/c cat /c/f; echo more >> /c/f
"""

    async def said(text: str) -> str:
        return (await built(bench, text))[2].partition("writing image")[0]

    one = text.format("one")
    assert await said(one) == "one\n"
    assert await said(one) == ""
    assert await said(text.format("two")) == "two\n"
    assert await said(one + "RUN --mount=type=cache,from=seed,source=/s,target=/c cat /c/f") == "one\nmore\n"
    image = "FROM busybox\nRUN --mount=type=cache,from=busybox,source=/etc,target=/c ls /c/passwd"
    assert await said(image) == "/c/passwd\n"


async def test_triggers_run_in_children_only(bench: Bench) -> None:
    (bench.context / "app").write_text("the app")
    parent, steps, _ = await built(
        bench, "FROM busybox\nONBUILD COPY app /app\nONBUILD RUN cat /app > /seen\nONBUILD ENV done=1"
    )
    assert parent["config"]["OnBuild"] == ["COPY app /app", "RUN cat /app > /seen", "ENV done=1"]  # type: ignore[index]
    child, steps, printed = await built(bench, "FROM made\nRUN cat /seen; echo $done")
    assert printed.startswith("the app1\n")
    assert "OnBuild" not in child["config"]  # type: ignore[operator]
    assert [step.split("] ")[1].split()[0] for step in steps if "]" in step] == ["FROM", "COPY", "RUN", "RUN"]


async def test_here_documents(bench: Bench) -> None:
    text = """
FROM busybox
ENV who=me
RUN <<EOF
set -e
echo "script $who"
EOF
RUN <<EOF
#!/bin/awk -f
BEGIN { print "awk" }
EOF
RUN cat <<ONE && echo after
of $who
ONE
COPY <<EOF <<"RAW" /files/
hello $who
EOF
hello $who
RAW
RUN cat /files/EOF /files/RAW
"""
    _, _, printed = await built(bench, text)
    lines = [line for line in printed.splitlines() if "image" not in line and "naming" not in line]
    assert lines == ["script me", "awk", "of me", "after", "hello me", "hello $who"]


async def test_unused_stages_are_skipped(bench: Bench) -> None:
    text = "FROM busybox AS a\nRUN echo a > /a\nFROM busybox AS b\nRUN exit 1\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=busybox /bin/true /bin/"
    config, steps, _ = await built(bench, text)
    assert not any("exit 1" in step for step in steps)
    assert len(config["rootfs"]["diff_ids"]) == 2  # type: ignore[index]
    _, steps, _ = await built(bench, text, target="a")
    assert [step for step in steps if "COPY" in step] == []


# The cache


async def test_what_a_change_does_anew(bench: Bench) -> None:
    for name in ("a", "b"):
        (bench.context / name).write_text(name)
    text = "FROM busybox\nARG v=1\nCOPY a /a\nRUN echo $v > /r\nCOPY b /b\nLABEL x=1"

    async def anew(**more: object) -> list[str]:
        _, steps, _ = await built(bench, text, **more)
        return [step[1:4] for step in steps if step.startswith("[") and "FROM" not in step]

    assert await anew() == ["2/4", "3/4", "4/4"]
    assert await anew() == []
    os.utime(bench.context / "a", (1, 1))
    assert await anew() == []
    (bench.context / "b").write_text("changed")
    assert await anew() == ["4/4"]
    (bench.context / "b").write_text("b")
    assert await anew() == []
    assert await anew(build_args={"v": "2"}) == ["3/4", "4/4"]
    assert await anew(no_cache=True) == ["2/4", "3/4", "4/4"]


async def test_an_agent_is_reached_and_is_no_part_of_a_key(bench: Bench, tmp_path: Path) -> None:
    """Whatever its socket is called here; a build without one gets along where it may."""
    text = (
        'FROM busybox\nRUN --mount=type=ssh test -z "$SSH_AUTH_SOCK" || (test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK)'
    )
    steps: list[list[str]] = []
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            path = str(tmp_path / name)
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(path)
            _, done, printed = await built(bench, text, ssh={"default": path})
            steps.append(done)
            assert printed.count("/run/buildkit/ssh_agent.default") == (name == "one")
    assert [each.startswith("CACHED") for each in (steps[0][1], steps[1][1])] == [False, True]
    _, _, printed = await built(bench, text)
    assert "ssh_agent" not in printed
    with pytest.raises(BuildError, match="no SSH agent listens at /nowhere: no such file or directory"):
        await built(bench, text.replace("test -z", "true; test -z"), ssh={"default": "/nowhere"})


async def test_secrets_are_no_part_of_a_key_and_of_no_layer(bench: Bench) -> None:
    text = 'FROM busybox\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S grep -c . /run/secrets/s && test -n "$S" && touch /x'
    config, first, _ = await built(bench, text, secrets={"s": b"one"})
    _, second, _ = await built(bench, text, secrets={"s": b"two"})
    assert second[1] == f"CACHED {first[1]}"
    assert "one" not in json.dumps(config)


async def test_equal_files_out_of_another_stage_are_a_hit(bench: Bench) -> None:
    """What a stage prints may differ from build to build; only what is copied counts."""
    text = (
        "FROM busybox AS a\nARG v\nRUN echo $v > /other; echo same > /f\nFROM busybox\nCOPY --from=a /f /f\nRUN cat /f"
    )
    await built(bench, text, build_args={"v": "1"})
    _, steps, _ = await built(bench, text, build_args={"v": "2"})
    assert [step for step in steps if "CACHED" in step] == [
        "CACHED [stage-1 2/3] COPY --from=a /f /f",
        "CACHED [stage-1 3/3] RUN cat /f",
    ]


# Interruptions


async def test_an_interrupted_build_leaves_nothing(bench: Bench) -> None:
    """The step's process is gone, and so is everything that it stood on (the fixture looks for leftovers)."""
    began = asyncio.Event()

    def report(event: Event) -> None:
        if isinstance(event, StepOutput) and b"began" in event.data:
            began.set()

    text = "FROM busybox\nRUN --mount=type=cache,target=/c --mount=type=secret,id=s echo began > /file; echo began; sleep 4321"
    request = BuildRequest(str(bench.context), text=text, tags=["interrupted"], secrets={"s": b"x"})
    task = asyncio.ensure_future(build(request, bench.door, report))
    await asyncio.wait_for(began.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(b"4321" in line for line in command_lines().values())
    with pytest.raises(CRIError):
        await bench.door.find_image("interrupted", False)


async def test_builds_side_by_side(bench: Bench) -> None:
    """The same one several times, and others: each gets its own image, and equal ones are one."""
    text = "FROM busybox\nRUN echo $RANDOM > /r; sleep 0.2\nRUN cat /r > /s"

    async def one(number: int) -> str:
        request = BuildRequest(str(bench.context), text=f"{text}\nLABEL n={number % 2}", tags=[f"n{number}"])
        return (await build(request, bench.door, lambda event: None)).id

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(4)]
    for number, task in enumerate(tasks):
        assert (await bench.door.find_image(f"n{number}", False)).id == task.result()


async def test_builds_are_forgotten(bench: Bench, images: Images) -> None:
    """What only the cache has kept goes; what has a name stays, and can be built on."""
    text = "FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=2\nRUN --mount=type=cache,target=/c echo x > /c/f"
    left = await build(BuildRequest(text=text), bench.door, lambda event: None)
    await images.remove_image(ImageSpec(image=left.id))
    await built(bench, "FROM busybox\nRUN echo kept > /kept")
    freed = await bench.door.forget_builds()
    assert freed > 2 << 20
    assert list((bench.root / "runtime/build-caches").iterdir()) == []
    _, steps, printed = await built(bench, "FROM made\nRUN cat /kept")
    assert printed.startswith("kept")
    assert steps[1].startswith("[2/2]")
