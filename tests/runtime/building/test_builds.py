from __future__ import annotations

import json

import pytest
from tests.runtime.building.conftest import Bench

from pybernetes.builder.build import build
from pybernetes.builder.errors import BuildError
from pybernetes.builder.progress import Event, StepDone, StepOutput, StepStarted
from pybernetes.builder.request import BuildRequest


async def built(bench: Bench, text: str, **more: object) -> tuple[dict[str, object], list[str], str]:
    """The image's config, its steps (with CACHED where they were), and what they printed."""
    events: list[Event] = []
    await_build = build(BuildRequest(str(bench.context), text=text, tags=["made"], **more), bench.door, events.append)  # type: ignore[arg-type]
    image = await await_build
    names = {event.number: event.name for event in events if isinstance(event, StepStarted)}
    steps = [
        ("CACHED " if event.cached else "") + names[event.number] for event in events if isinstance(event, StepDone)
    ]
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


async def test_a_failing_step(bench: Bench) -> None:
    with pytest.raises(BuildError) as failed:
        await built(bench, "FROM busybox\n\nRUN echo oh no; exit 3\n")
    assert str(failed.value) == (
        'failed to solve: process "/bin/sh -c echo oh no; exit 3" did not complete successfully: exit code: 3'
    )
    assert ">>> RUN echo oh no" in failed.value.source
    assert failed.value.output == "oh no\n"
