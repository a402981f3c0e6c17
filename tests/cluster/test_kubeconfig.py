"""The user's kubeconfig, which belongs to many: clusters come and go at the same time, and other tools write it."""

import fcntl
import json
import multiprocessing
import multiprocessing.connection
import os
from pathlib import Path

import pytest

from pybernetes.cluster import kubeconfig
from pybernetes.cluster.owner import Owner
from pybernetes.cluster.profile import Profile, Settings

yaml = pytest.importorskip("yaml")


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Owner(os.getuid(), os.getgid(), tmp_path / "home")


def made(tmp_path: Path, name: str) -> Profile:
    profile = Profile(name, Settings(), tmp_path / "state" / name, tmp_path / "run" / name)
    profile.save()
    for file in ("admin.crt", "admin.key", "ca.crt"):
        (profile.certificates / file).write_text(file)
    return profile


def contexts(owner: Owner) -> set[str]:
    stored = yaml.safe_load((owner.home / ".kube/config").read_text())
    return {each["name"] for each in stored["contexts"]}


def test_clusters_that_come_and_go_at_once_all_have_their_place(tmp_path: Path, owner: Owner) -> None:
    profiles = [made(tmp_path, f"lab-{number}") for number in range(16)]
    (owner.home / ".kube").mkdir(parents=True)
    (owner.home / ".kube/config").write_text(json.dumps({"contexts": [{"name": "theirs", "context": {}}]}))

    def at_once(change: object, *chosen: tuple[Profile, Owner]) -> None:
        fork = multiprocessing.get_context("fork")
        workers = [fork.Process(target=change, args=each) for each in chosen]  # type: ignore[arg-type]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        assert [worker.exitcode for worker in workers] == [0] * len(workers)

    at_once(kubeconfig.add_to_user, *((profile, owner) for profile in profiles))
    assert contexts(owner) == {"theirs", *(profile.name for profile in profiles)}
    at_once(kubeconfig.remove_from_users, *((profile, owner) for profile in profiles[::2]))
    assert contexts(owner) == {"theirs", *(profile.name for profile in profiles[1::2])}
    assert [path.name for path in (owner.home / ".kube").iterdir()] == ["config"]


def test_nothing_is_made_for_a_user_who_has_no_kubeconfig(tmp_path: Path, owner: Owner) -> None:
    kubeconfig.remove_from_users(made(tmp_path, "lab"), owner)
    assert not owner.home.exists()


def test_who_never_lets_go_is_not_waited_for(tmp_path: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.05)
    profile = made(tmp_path, "lab")
    lock = owner.home / ".kube/.config.p8s.lock"
    lock.parent.mkdir(parents=True)

    def hold(held: "multiprocessing.connection.Connection") -> None:
        with lock.open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            held.send("held")
            held.recv()

    ours, theirs = multiprocessing.Pipe()
    holder = multiprocessing.get_context("fork").Process(target=hold, args=(theirs,))
    holder.start()
    assert ours.recv() == "held"
    try:
        with pytest.raises(kubeconfig.KubeconfigError, match="does not come to an end"):
            kubeconfig.add_to_user(profile, owner)
    finally:
        ours.send("done")
        holder.join(10)
    assert kubeconfig.add_to_user(profile, owner) == owner.home / ".kube/config"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a: [b", "did not find expected ',' or ']'"),
        ("just words", "is not a kubeconfig"),
        ("- a", "is not a kubeconfig"),
        ("contexts: x", "contexts is not a list of objects"),
        ("users: [x]", "users is not a list of objects"),
        ("clusters: {a: b}", "clusters is not a list of objects"),
        ("\udcc3(", "invalid"),
    ],
)
def test_what_is_no_kubeconfig_is_told_and_left_as_it_is(text: str, cause: str, tmp_path: Path, owner: Owner) -> None:
    place = owner.home / ".kube/config"
    place.parent.mkdir(parents=True)
    place.write_bytes(text.encode(errors="surrogateescape"))
    profile = made(tmp_path, "lab")
    for change in (kubeconfig.add_to_user, kubeconfig.remove_from_users):
        with pytest.raises(kubeconfig.KubeconfigError) as raised:
            change(profile, owner)
        [problem] = raised.value.problems
        assert str(place) in problem.cause
        assert cause in problem.cause
        assert "\n" not in problem.cause
    assert place.read_bytes() == text.encode(errors="surrogateescape")


def test_of_several_files_the_first_that_exists_gets_the_cluster(
    tmp_path: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kubectl does; where there is none it makes the last."""
    names = [tmp_path / name for name in ("a", "b", "c")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", *map(str, names)]))
    assert kubeconfig.user_path(owner) == names[2]
    names[1].touch()
    assert kubeconfig.add_to_user(made(tmp_path, "lab"), owner) == names[1]
    assert [name.exists() for name in names] == [False, True, False]
