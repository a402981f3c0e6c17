"""Log lines in the CRI format."""

from pathlib import Path

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
    assert (tmp_path / "log").read_text().endswith(f"{STAMP} stdout F rest\n")


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
    (tmp_path / "full").symlink_to("/dev/full")
    log = writer(tmp_path / "full")
    log.write("stdout", b"lost\n")
    log.finish()
