"""The life of pods against a runtime and an API in memory."""

import msgspec

from pybernetes.api.types import core_v1 as v1
from pybernetes.cri.errors import CRIError, PullError, StartError

from .world import World, a_container, a_pod


async def test_a_pod_becomes_running_and_ready_with_one_status_write(world: World) -> None:
    await world.apply(a_pod())
    status = world.status()
    assert status.phase == "Running"
    assert world.conditions() == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert status.pod_ip
    assert status.host_ip == "192.0.2.1"
    found = world.container()
    assert (found.ready, found.started, found.restart_count) == (True, True, 0)
    assert found.state
    assert found.state.running
    assert len(world.api.writes) == 1


async def test_events_of_a_start_have_upstreams_words(world: World) -> None:
    await world.apply(a_pod())
    assert world.recorder.told == [
        ("Pulled", 'Container image "web:1" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]
    assert world.recorder.references[0].field_path == "spec.containers{c}"


async def test_an_image_is_pulled_and_told_with_its_size(world: World) -> None:
    world.registry = world.runtime.registry
    world.registry["new:latest"] = world.runtime.images["web:1"]
    await world.apply(a_pod(containers=[a_container(image="new")]))
    assert world.recorder.told[:2] == [
        ("Pulling", 'Pulling image "new"'),
        ("Pulled", 'Successfully pulled image "new" in 0ms (0ms including waiting). Image size: 1000 bytes.'),
    ]
    assert world.status().phase == "Running"


async def test_a_failed_pull_shows_the_error_then_backs_off_then_heals(world: World) -> None:
    world.runtime.pull_error = PullError("manifest unknown")
    await world.apply(a_pod(containers=[a_container(image="new:1")]))
    waiting = world.container().state.waiting
    assert (waiting.reason, waiting.message) == ("ErrImagePull", "manifest unknown")
    await world.advance(3)
    waiting = world.container().state.waiting
    assert waiting.reason == "ImagePullBackOff"
    assert waiting.message == 'Back-off pulling image "new:1": ErrImagePull: manifest unknown'
    world.runtime.pull_error = None
    world.runtime.registry["new:1"] = world.runtime.images["web:1"]
    await world.advance(10)
    assert world.status().phase == "Running"
    assert [m for r, m in world.recorder.told if r == "Failed"][:2] == [
        'Failed to pull image "new:1": manifest unknown',
        "Error: ErrImagePull",
    ]


async def test_never_pull_and_invalid_names_are_told_apart(world: World) -> None:
    await world.apply(a_pod("never", containers=[a_container(image="x:1", image_pull_policy="Never")]))
    await world.apply(a_pod("bad", containers=[a_container(image="Bad Name")]))
    assert world.container(pod="never").state.waiting.reason == "ErrImageNeverPull"
    assert world.container(pod="bad").state.waiting.reason == "InvalidImageName"


async def test_a_crashing_container_restarts_at_once_then_backs_off_twice_as_long(world: World) -> None:
    await world.apply(a_pod())
    world.runtime.exit("c", 1)
    await world.settle()
    assert world.container().restart_count == 1
    world.runtime.exit("c", 1)
    await world.settle()
    found = world.container()
    assert found.state.waiting.reason == "CrashLoopBackOff"
    assert found.state.waiting.message == "back-off 10s restarting failed container=c pod=p_default(uid-p)"
    assert found.last_state.terminated.exit_code == 1
    assert world.status().phase == "Running"
    assert world.conditions()["Ready"] == "False"
    assert ("BackOff", "Back-off restarting failed container c in pod p_default(uid-p)") in world.recorder.told
    await world.advance(10.1)
    assert world.container().restart_count == 2
    world.runtime.exit("c", 1)
    await world.advance(19)
    assert world.container().restart_count == 2
    await world.advance(1.5)
    assert world.container().restart_count == 3


async def test_a_long_life_forgives_the_crashes_before(world: World) -> None:
    await world.apply(a_pod())
    for _ in range(2):
        world.runtime.exit("c", 1)
        await world.advance(11)
    await world.advance(700)
    world.runtime.exit("c", 1)
    await world.settle()
    assert world.container().state.running


async def test_a_pod_that_never_restarts_succeeds_or_fails(world: World) -> None:
    for name, code, phase in (("good", 0, "Succeeded"), ("bad", 3, "Failed")):
        await world.apply(a_pod(name, restart_policy="Never", containers=[a_container(name)]))
        world.runtime.exit(name, code)
        await world.settle()
        assert world.status(name).phase == phase
        terminated = world.container(name, name).state.terminated
        assert (terminated.exit_code, terminated.reason) == (code, "Completed" if code == 0 else "Error")
        assert world.conditions(name)["Ready"] == "False"
    assert not [s for s in world.runtime.sandboxes.values() if s.state == 0]


def ruled(action: str, name: str = "c") -> v1.Container:
    codes = v1.ContainerRestartRuleOnExitCodes(operator="In", values=[42])
    rule = v1.ContainerRestartRule(action=action, exit_codes=codes)
    return a_container(name, restart_policy="Never", restart_policy_rules=[rule])


async def test_a_pod_whose_container_a_rule_restarts_has_not_failed(world: World) -> None:
    await world.apply(a_pod(restart_policy="Never", containers=[ruled("Restart")]))
    for restarts in (1, 2):
        world.runtime.exit("c", 42)
        await world.settle()
        assert world.status().phase == "Running"
        await world.advance(10.1)
        assert world.container().restart_count == restarts
    assert {write["phase"] for write in world.api.writes if "phase" in write} == {"Running"}
    world.runtime.exit("c", 1)
    await world.settle()
    assert world.status().phase == "Failed"


async def test_all_containers_begin_anew_when_a_rule_says_so(world: World) -> None:
    """KEP-5532: init containers run again, counts go on, and the pod is initialised all the while."""
    init, side = a_container("i"), a_container("side", restart_policy="Always")
    containers = [ruled("RestartAllContainers", "asks"), a_container("c")]
    await world.apply(a_pod(restart_policy="Never", init_containers=[init, side], containers=containers))
    world.runtime.exit("i", 0)
    await world.settle()
    assert world.conditions()["AllContainersRestarting"] == "False"
    for restarts in (1, 2):
        world.runtime.exit("asks", 42)
        await world.settle()
        assert world.status().phase == "Running"
        assert world.conditions()["Initialized"] == "True"
        assert world.container("i").state.running
        world.runtime.exit("i", 0)
        await world.settle()
        ends = {}
        for name in ("i", "side", "asks", "c"):
            found = world.container(name)
            assert found.restart_count == restarts
            ends[name] = (found.last_state.terminated.reason, found.last_state.terminated.exit_code)
        lost = ("RestartingAllContainers", 137)
        assert ends == {"i": ("Completed", 0), "side": lost, "asks": ("Error", 42), "c": lost}
        assert world.conditions()["AllContainersRestarting"] == "False"
    world.runtime.exit("asks", 1)
    world.runtime.exit("c", 0)
    await world.settle()
    assert world.status().phase == "Failed"


async def test_a_sidecar_may_make_all_begin_anew_however_the_others_ended(world: World) -> None:
    """Nothing else runs for a while, and one container has been seen to be killed: the pod has not failed."""
    source = msgspec.structs.replace(ruled("RestartAllContainers", "side"), restart_policy="Always")
    remove, seen = world.runtime.remove_container, list[str | None]()

    async def slow_removal(container_id: str) -> None:
        await world.clock.sleep(1)
        seen.append(world.status().phase)
        await remove(container_id)

    world.runtime.remove_container = slow_removal  # type: ignore[method-assign]
    await world.apply(a_pod(restart_policy="Never", init_containers=[a_container("i"), source]))
    world.runtime.exit("i", 0)
    await world.settle()
    world.runtime.exit("side", 42)
    for _ in range(6):
        await world.advance(1)
    assert world.container("i").state.running
    assert world.status().phase == "Running"
    assert set(seen) == {"Running"}
    world.runtime.exit("i", 0)
    await world.settle()
    assert [world.container(name).restart_count for name in ("i", "side", "c")] == [1, 1, 1]


async def test_init_containers_run_one_after_the_other_before_the_regular_ones(world: World) -> None:
    pod = a_pod(init_containers=[a_container("i1"), a_container("i2")])
    await world.apply(pod)
    assert world.conditions()["Initialized"] == "False"
    assert (world.container("i1").started, world.container("i1").ready) == (True, False)
    await world.advance(1)
    assert world.status().phase == "Pending"
    assert world.container("c").state.waiting.reason == "PodInitializing"
    assert [name for name in ("i1", "i2") if world.container(name).state.running] == ["i1"]
    world.runtime.exit("i1", 0)
    await world.settle()
    await world.advance(1)
    assert world.container("i2").state.running
    world.runtime.exit("i2", 0)
    await world.settle()
    assert world.status().phase == "Running"
    assert world.container("i1").ready


async def test_a_failed_init_container_fails_a_pod_that_never_restarts(world: World) -> None:
    await world.apply(a_pod(restart_policy="Never", init_containers=[a_container("i")]))
    world.runtime.exit("i", 1)
    await world.settle()
    assert world.status().phase == "Failed"
    assert world.container("c").state.waiting.reason == "PodInitializing"


async def test_a_sidecar_starts_first_and_ends_last(world: World) -> None:
    pod = a_pod(restart_policy="Never", init_containers=[a_container("side", restart_policy="Always")])
    await world.apply(pod)
    assert world.container("side").state.running
    assert world.container("c").state.running
    world.runtime.exit("c", 0)
    await world.settle()
    assert world.status().phase == "Succeeded"
    assert world.container("side").state.terminated


async def test_a_sandbox_that_cannot_be_made_is_told_and_tried_again(world: World) -> None:
    world.runtime.sandbox_errors = [CRIError("no addresses left")]
    await world.apply(a_pod())
    assert ("FailedCreatePodSandBox", "Failed to create pod sandbox: no addresses left") in world.recorder.told
    await world.advance(1)
    assert world.status().phase == "Running"


async def test_no_container_starts_without_the_devices_that_its_pod_was_promised(world: World) -> None:
    claim = v1.PodResourceClaim(name="gpu", resource_claim_name="gpu")
    await world.apply(a_pod(resource_claims=[claim]))
    words = (
        "Failed to prepare dynamic resources: prepare dynamic resources: fetch ResourceClaim gpu: "
        'resourceclaims.resource.k8s.io "gpu" not found'
    )
    assert world.recorder.told == [("FailedPrepareDynamicResources", words)]
    assert world.status().phase == "Pending"


async def test_a_command_that_does_not_exist_is_on_the_pod(world: World) -> None:
    words = 'exec: "nope": executable file not found in $PATH'
    world.runtime.start_errors["c"] = StartError(words)
    await world.apply(a_pod())
    found = world.container()
    assert found.state.waiting.reason in ("RunContainerError", "CrashLoopBackOff")
    assert found.last_state.terminated.reason == "StartError"
    assert found.last_state.terminated.exit_code == 128
    assert ("Failed", f"Error: {words}") in world.recorder.told


async def test_a_missing_config_map_holds_the_container_until_it_is_there(world: World) -> None:
    source = v1.EnvVarSource(config_map_key_ref=v1.ConfigMapKeySelector(name="cfg", key="k"))
    await world.apply(a_pod(containers=[a_container(env=[v1.EnvVar(name="K", value_from=source)])]))
    waiting = world.container().state.waiting
    assert (waiting.reason, waiting.message) == ("CreateContainerConfigError", 'configmap "cfg" not found')
    world.objects.config_maps["cfg"] = v1.ConfigMap(data={"k": "v"})
    world.kubelet.objects_changed("uid-p")
    await world.settle()
    assert world.status().phase == "Running"


async def test_a_missing_volume_source_is_told_with_upstreams_words(world: World) -> None:
    volume = v1.Volume(name="conf", config_map=v1.ConfigMapVolumeSource(name="cfg"))
    await world.apply(a_pod(volumes=[volume]))
    assert (
        "FailedMount",
        'MountVolume.SetUp failed for volume "conf" : configmap "cfg" not found',
    ) in world.recorder.told
    world.objects.config_maps["cfg"] = v1.ConfigMap(data={"k": "v"})
    world.kubelet.objects_changed("uid-p")
    await world.settle()
    assert world.status().phase == "Running"
    path = world.root / "pods/uid-p/volumes/kubernetes.io~configmap/conf/k"
    assert path.read_text() == "v"


def environment_of(world: World, name: str = "c") -> dict[str, str]:
    config = next(c for c in reversed(world.runtime.configs.values()) if c.metadata and c.metadata.name == name)
    return {entry.key: entry.value.decode() for entry in config.envs}


async def test_variables_from_a_file_that_an_init_container_wrote(world: World) -> None:
    def variable(name: str, key: str, optional: bool = False) -> v1.EnvVar:
        ref = v1.FileKeySelector(volume_name="work", path="config.env", key=key, optional=optional)
        return v1.EnvVar(name=name, value_from=v1.EnvVarSource(file_key_ref=ref))

    volume = v1.Volume(name="work", empty_dir=v1.EmptyDirVolumeSource())
    main = a_container(env=[variable("FOUND", "A"), variable("MISSING", "B", optional=True), variable("LATE", "C")])
    await world.apply(a_pod(volumes=[volume], init_containers=[a_container("i")], containers=[main]))
    (file,) = [path / "config.env" for path in world.root.glob("**/*empty-dir/work")]
    file.write_text("A='1'\n")
    world.runtime.exit("i", 0)
    await world.settle()
    waiting = world.container().state.waiting
    assert (waiting.reason, waiting.message) == (
        "CreateContainerConfigError",
        f'environment variable key "C" not found in file "{file}"',
    )
    file.write_text("A='1'\nC='3'\n")
    await world.advance(20)
    assert {"FOUND": "1", "LATE": "3"}.items() <= environment_of(world).items()
    assert "MISSING" not in environment_of(world)


async def test_a_changed_config_map_reaches_the_volume(world: World) -> None:
    world.objects.config_maps["cfg"] = v1.ConfigMap(data={"k": "old"})
    await world.apply(a_pod(volumes=[v1.Volume(name="conf", config_map=v1.ConfigMapVolumeSource(name="cfg"))]))
    world.objects.config_maps["cfg"] = v1.ConfigMap(data={"k": "new"})
    world.kubelet.objects_changed("uid-p")
    await world.settle()
    assert (world.root / "pods/uid-p/volumes/kubernetes.io~configmap/conf/k").read_text() == "new"


async def test_a_pod_that_does_not_fit_is_rejected_with_upstreams_reason(world: World) -> None:
    world.node = v1.Node(status=v1.NodeStatus(allocatable={"cpu": "1", "pods": "110"}))
    resources = v1.ResourceRequirements(requests={"cpu": "2"})
    await world.apply(a_pod(containers=[a_container(resources=resources)]))
    status = world.status()
    assert (status.phase, status.reason) == ("Failed", "OutOfcpu")
    assert "requested: 2000, used: 0, capacity: 1000" in (status.message or "")
    assert not world.runtime.sandboxes


async def test_an_ephemeral_container_runs_beside_the_others(world: World) -> None:
    pod = a_pod()
    await world.apply(pod)
    debug = v1.EphemeralContainer(name="debug", image="web:1")
    stored = world.api.pods["p"]
    await world.apply(
        msgspec.structs.replace(stored, spec=msgspec.structs.replace(stored.spec, ephemeral_containers=[debug]))
    )
    assert world.container("debug").state.running
    world.runtime.exit("debug", 0)
    await world.advance(1)
    assert world.container("debug").state.terminated
    assert world.container("c").state.running


async def test_a_failed_post_start_hook_ends_the_container(world: World) -> None:
    from pybernetes.cri import types as t

    world.runtime.exec_handler = lambda name, cmd: t.ExecSyncResponse(exit_code=1, stderr=b"no")
    hook = v1.LifecycleHandler(exec=v1.ExecAction(command=["false"]))
    await world.apply(a_pod(containers=[a_container(lifecycle=v1.Lifecycle(post_start=hook))], restart_policy="Never"))
    assert "FailedPostStartHook" in world.recorder.reasons
    assert world.container().state.terminated


async def test_a_refused_status_write_is_tried_again(world: World) -> None:
    from pybernetes.api.errors import StatusError

    world.api.failures = [StatusError(500, "InternalError", "no")]
    await world.apply(a_pod())
    await world.advance(1)
    assert world.status().phase == "Running"


async def test_conditions_of_others_are_left_alone(world: World) -> None:
    other = v1.PodCondition(type="DisruptionTarget", status="True", reason="x")
    pod = a_pod()
    await world.apply(msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=[other])))
    assert world.conditions()["DisruptionTarget"] == "True"


async def test_readiness_gates_hold_the_pod_back(world: World) -> None:
    await world.apply(a_pod(readiness_gates=[v1.PodReadinessGate(condition_type="example.com/ok")]))
    assert world.conditions()["ContainersReady"] == "True"
    assert world.conditions()["Ready"] == "False"
    stored = world.api.pods["p"]
    gate = v1.PodCondition(type="example.com/ok", status="True")
    status = msgspec.structs.replace(stored.status, conditions=[*stored.status.conditions, gate])
    await world.apply(msgspec.structs.replace(stored, status=status))
    await world.advance(1)
    assert world.conditions()["Ready"] == "True"


async def test_a_container_starts_anew_when_its_image_is_changed(world: World) -> None:
    world.runtime.images["web:2"] = world.runtime.images["web:1"]
    await world.apply(a_pod())
    stored = world.api.pods["p"]
    changed = msgspec.structs.replace(stored.spec, containers=[a_container(image="web:2")])
    await world.apply(msgspec.structs.replace(stored, spec=changed))
    assert ("Killing", "Container c definition changed, will be restarted") in world.recorder.told
    assert (world.container().restart_count, world.container().image) == (1, "web:2")


async def test_the_status_says_how_deep_a_mount_is_read_only(world: World) -> None:
    deep = v1.VolumeMount(name="v", mount_path="/deep", read_only=True, recursive_read_only="Enabled")
    flat = v1.VolumeMount(name="v", mount_path="/flat", read_only=True)
    volume = v1.Volume(name="v", empty_dir=v1.EmptyDirVolumeSource())
    await world.apply(a_pod(containers=[a_container(volume_mounts=[deep, flat])], volumes=[volume]))
    assert [mount.recursive_read_only for mount in world.container().volume_mounts] == ["Enabled", "Disabled"]
