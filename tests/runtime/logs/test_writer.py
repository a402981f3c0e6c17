"""Log lines in the CRI format."""

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from pybernetes.runtime.logs.writer import MAX_LINE, LogWriter

MOMENT = 1_700_000_000_123_456_789
STAMP = "2023-11-14T22:13:20.123456789Z"


def writer(path: Path) -> LogWriter:
    return LogWriter(str(path), now_ns=lambda: MOMENT)


def test_lines_wait_for_their_end(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write("stdout", b"hel")
    log.write("stderr", b"other\n")
    log.write("stdout", b"lo\nrest")
    assert (tmp_path / "log").read_text() == f"{STAMP} stderr F other\n{STAMP} stdout F hello\n"
    log.finish()
    assert (tmp_path / "log").read_text().endswith(f"{STAMP} stdout P rest\n")


def test_long_lines_come_in_parts(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write("stdout", b"x" * (MAX_LINE * 2 + 5) + b"\n")
    parts = [line.split(" ", 3)[2:] for line in (tmp_path / "log").read_text().splitlines()]
    assert [(tag, len(text)) for tag, text in parts] == [("P", MAX_LINE), ("P", MAX_LINE), ("F", 5)]


def test_a_long_line_that_does_not_end_is_not_held_back(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write("stdout", b"x" * (MAX_LINE + 1))
    assert (tmp_path / "log").read_text().count(" P ") == 1


def test_empty_lines_and_carriage_returns_are_kept(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write("stdout", b"\na\r\n")
    assert (tmp_path / "log").read_bytes() == f"{STAMP} stdout F \n{STAMP} stdout F a\r\n".encode()


def test_reopening_goes_on_in_a_new_file(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write("stdout", b"one\n")
    (tmp_path / "log").rename(tmp_path / "log.1")
    log.write("stdout", b"two\n")
    log.reopen()
    log.write("stdout", b"three\n")
    assert [line.split()[-1] for line in (tmp_path / "log.1").read_text().splitlines()] == ["one", "two"]
    assert (tmp_path / "log").read_text().split()[-1] == "three"


def test_a_full_disk_does_not_stop_the_container(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        log.write("stdout", b"lost\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    log.write("stdout", b"kept\n")
    assert (tmp_path / "log").read_text().split()[-1] == "kept"


@pytest.mark.parametrize("what", ["link", "pipe", "device", "directory", "linked directory"])
def test_output_goes_to_a_file_of_the_log_only(tmp_path: Path, what: str) -> None:
    """A pod with a hostPath to the logs must not choose what its output, written as root, is appended to."""
    canary, log = tmp_path / "canary", tmp_path / "pods/pod/c/0.log"
    canary.mkdir()
    (canary / "0.log").write_text("untouched")
    log.parent.mkdir(parents=True)
    match what:
        case "link":
            log.symlink_to(canary / "0.log")
        case "pipe":
            os.mkfifo(log)
        case "device":
            os.mknod(log, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        case "directory":
            log.mkdir()
        case _:
            log.parent.rmdir()
            log.parent.symlink_to(canary)
    # A device is refused by the kernel before it is looked at, where the directory is mounted without devices.
    words = r"levels of symbolic links|No such device|not a regular file|Is a directory|Not a dir|Permission denied"
    with pytest.raises(OSError, match=words):
        LogWriter(str(log))
    assert (canary / "0.log").read_text() == "untouched"


def test_a_log_that_is_led_elsewhere_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "pods/pod/c/0.log"
    path.parent.mkdir(parents=True)
    log = writer(path)
    path.rename(path.with_name("aside"))
    path.symlink_to(tmp_path / "canary")
    with pytest.raises(OSError, match="levels of symbolic links"):
        log.reopen()
    log.write("stdout", b"kept\n")
    assert not (tmp_path / "canary").exists()
    assert path.with_name("aside").read_text().split()[-1] == "kept"


def test_a_line_that_the_disk_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = writer(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, before[1]))
    try:
        log.write("stdout", b"a line that is longer than what the disk has room for\n")
        log.write("stdout", b"lost\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    log.write("stdout", b"next\n")
    log.write("stdout", b"last\n")
    assert path.read_text().splitlines()[1:] == [f"{STAMP} stdout F next", f"{STAMP} stdout F last"]
