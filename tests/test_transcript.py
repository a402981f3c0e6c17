"""The transcript runner itself: what matches, what does not, and what it remembers."""

from pathlib import Path

import pytest
from tests import transcript


def run(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    transcript.run(tmp_path / "t.txt", {}, tmp_path)


def test_output_columns_and_captures(tmp_path: Path) -> None:
    run(
        tmp_path,
        "# heading\n$ printf 'NAME   AGE\\npod-7x  12s\\n'\nNAME AGE\n{{pod=pod-\\w+}}   {{age}}\n$ echo $pod\npod-7x\n",
    )


def test_ellipsis_stands_for_any_lines(tmp_path: Path) -> None:
    run(tmp_path, "$ seq 9\n1\n...\n9\n")


def test_indented_lines(tmp_path: Path) -> None:
    run(tmp_path, "$ printf 'a:\\n    b:   1\\n'\na:\n  b: {{number}}\n")


def test_exit_code(tmp_path: Path) -> None:
    run(tmp_path, "$ sh -c 'echo no; exit 3'\nno\n[3]\n")


def test_repeats_until_it_matches(tmp_path: Path) -> None:
    run(tmp_path, "$~ echo x >> f; wc -l < f\n4\n")


@pytest.mark.parametrize(
    "text", ["$ echo a\nb\n", "$ echo a; echo b\na\n", "$ exit 1\n", "$ echo 'a b'\na{{number}}\n"]
)
def test_difference_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(transcript.Mismatch, match=r"t\.txt:1"):
        run(tmp_path, text)
