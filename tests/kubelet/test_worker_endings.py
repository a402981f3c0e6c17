"""How a worker ends its pod, and finds it again after a death: of the kubelet, the runtime, the node."""

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError

from .world import World, a_container, a_pod


async def test_a_deleted_pod_is_ended_told_and_removed(world: World) -> None:
    await world.apply(a_pod())
    await world.delete("p")
    assert world.api.deleted == ["uid-p"]
    assert [timeout for _, timeout in world.runtime.stops] == [30]
    assert ("Killing", "Stopping container c") in world.recorder.told
    await world.vanish(a_pod())
    assert not world.runtime.sandboxes
    assert not world.runtime.containers
    assert not list((world.root / "pods").iterdir())
    assert not world.kubelet.workers()


async def test_a_shorter_grace_breaks_off_the_longer_one(world: World) -> None:
    world.runtime.stop_exit_code = None
    await world.apply(a_pod())
    await world.delete("p", grace=30)
    await world.advance(2)
    await world.delete("p", grace=1)
    await world.advance(1.5)
    assert world.api.deleted == ["uid-p"]


async def test_a_pod_removed_by_force_is_ended_all_the_same(world: World) -> None:
    await world.apply(a_pod())
    await world.vanish(a_pod())
    assert not world.runtime.containers
    assert not world.kubelet.workers()


async def test_a_pull_is_broken_off_by_deletion(world: World) -> None:
    async def hang(*args: object) -> str:
        await world.clock.sleep(1000)
        return ""

    world.runtime.pull_image = hang  # type: ignore[method-assign,assignment]
    await world.apply(a_pod(containers=[a_container(image="big:1")]))
    await world.delete("p")
    assert world.api.deleted == ["uid-p"]


async def test_a_new_kubelet_finds_the_same_containers(world: World) -> None:
    await world.apply(a_pod())
    world.runtime.exit("c", 1)
    await world.settle()
    before = world.container()
    await world.scope.close()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.container() == before
    assert len(world.runtime.sandboxes) == 1


async def test_after_a_reboot_the_pod_starts_again_with_one_restart_more(world: World) -> None:
    await world.apply(a_pod())
    await world.scope.close()
    world.runtime.stop_sandboxes()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.container().restart_count == 1
    assert world.container().state.running
    assert world.status().phase == "Running"
    assert "SandboxChanged" in world.recorder.reasons


async def test_after_the_runtime_lost_everything_the_count_still_goes_up(world: World) -> None:
    await world.apply(a_pod())
    await world.scope.close()
    world.runtime.lose_everything()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.container().restart_count == 1


async def test_a_finished_pod_stays_finished_after_a_reboot(world: World) -> None:
    await world.apply(a_pod(restart_policy="Never"))
    world.runtime.exit("c", 0)
    await world.settle()
    await world.scope.close()
    world.runtime.lose_everything()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.status().phase == "Succeeded"
    assert world.container().state.terminated.exit_code == 0
    assert not world.runtime.containers


async def test_orphans_of_the_runtime_are_ended(world: World) -> None:
    await world.apply(a_pod())
    await world.scope.close()
    world.restart_kubelet(world.scope)
    await world.kubelet.adopt_orphans()
    await world.settle()
    assert not world.runtime.sandboxes


async def test_a_deadline_fails_the_pod(world: World) -> None:
    await world.apply(a_pod(active_deadline_seconds=5))
    await world.advance(6)
    status = world.status()
    assert (status.phase, status.reason) == ("Failed", "DeadlineExceeded")
    assert not [s for s in world.runtime.sandboxes.values() if s.state == 0]


async def test_a_pre_stop_hook_runs_within_the_grace(world: World) -> None:
    hook = v1.LifecycleHandler(sleep=v1.SleepAction(seconds=5))
    await world.apply(a_pod(containers=[a_container(lifecycle=v1.Lifecycle(pre_stop=hook))]))
    await world.delete("p", grace=20)
    assert not world.runtime.stops
    await world.advance(5.1)
    assert [timeout for _, timeout in world.runtime.stops] == [15]


async def test_the_nodes_end_keeps_the_pods_and_starts_them_again(world: World) -> None:
    await world.apply(a_pod())
    await world.apply(a_pod("long", termination_grace_period_seconds=3600))
    await world.kubelet.shutdown_pods(20)
    assert not [s for s in world.runtime.sandboxes.values() if s.state == 0]
    assert sorted(timeout for _, timeout in world.runtime.stops) == [20, 20]
    assert not world.api.deleted
    world.restart_kubelet(world.scope)
    for pod in list(world.api.pods.values()):
        world.kubelet.pod_changed(None, pod)
    await world.settle()
    for name in ("p", "long"):
        assert world.status(name).phase == "Running"
        assert world.container(pod=name).restart_count == 1


async def test_a_sandbox_that_hangs_does_not_hold_up_deletion(world: World) -> None:
    async def hang(*args: object) -> str:
        await world.clock.sleep(1000)
        return ""

    world.runtime.run_pod_sandbox = hang  # type: ignore[method-assign,assignment]
    await world.apply(a_pod())
    await world.delete("p")
    assert world.api.deleted == ["uid-p"]


async def test_a_runtime_that_fails_to_stop_is_asked_again_but_not_at_once(world: World) -> None:
    calls: list[float] = []

    async def fail(*args: object) -> None:
        calls.append(world.clock.monotonic())
        raise CRIError("busy")

    await world.apply(a_pod())
    stop = world.runtime.stop_container
    world.runtime.stop_container = fail  # type: ignore[method-assign,assignment]
    await world.delete("p")
    await world.advance(2.5)
    assert len(calls) == 3
    world.runtime.stop_container = stop  # type: ignore[method-assign]
    await world.advance(1)
    assert world.api.deleted == ["uid-p"]


async def test_old_attempts_are_removed_but_for_the_last(world: World) -> None:
    await world.apply(a_pod())
    for _ in range(4):
        world.runtime.exit("c", 1)
        await world.advance(400)
    attempts = sorted(s.metadata.attempt for _, s in world.runtime.containers.values() if s.metadata)
    assert attempts == [3, 4]


async def test_a_termination_message_and_the_end_of_the_log(world: World) -> None:
    from pathlib import Path

    fallback = a_container("f", termination_message_policy="FallbackToLogsOnError")
    await world.apply(a_pod(restart_policy="Never", containers=[a_container("m"), fallback]))
    config = world.runtime.configs[world.runtime.named("m").id]
    own = next(m for m in config.mounts if m.container_path == "/dev/termination-log")
    Path(own.host_path).write_text("because")
    log = Path(world.runtime.named("f").log_path)
    log.parent.mkdir(parents=True)
    log.write_text("2026-01-01T00:00:00Z stderr F boom\n")
    world.runtime.exit("m", 1)
    world.runtime.exit("f", 1)
    await world.settle()
    assert world.container("m").state.terminated.message == "because"
    assert world.container("f").state.terminated.message == "boom\n"
    await world.scope.close()
    world.restart_kubelet(world.scope)
    world.kubelet.pod_changed(None, world.api.pods["p"])
    await world.settle()
    assert world.container("m").state.terminated.message == "because"
