"""`-o json` of commands that do something: the result alone, and nothing for people around it."""

from __future__ import annotations

import io
import json

from pybernetes.cli.console import Console, Failure


def test_only_the_result_is_printed() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.only_json()
    console.live("under way")
    console.step("x", "done")
    console.note("beside")
    console.line("a line")
    console.json({"stopped": []})
    assert (json.loads(out.getvalue()), err.getvalue()) == ({"stopped": []}, "")


def test_failures_are_told_all_the_same() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.only_json()
    assert console.failure(Failure([("it broke", "mend it")])) == 1
    assert err.getvalue() == "error: it broke\n  try: mend it\n"
