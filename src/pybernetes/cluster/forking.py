"""Forks of a process that handles signals, and what becomes of them."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that wake the parent; a child begins with none of its handlers."""
LOG_LIMIT = 20 * 1024 * 1024
"""Bytes of a component's log beyond which it is put aside at the next start."""


def fork() -> int:
    """Fork with signals held back: one that is meant for the child must not meet the parent's handlers in it.

    The child lets them in again once it has handlers of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    return pid


def become(name: str, leave: Callable[[], None], main: Callable[[], None]) -> NoReturn:
    """The forked child's whole life: `leave` closes what is the parent's alone, then `main` runs."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        leave()
        if sys.platform == "linux":
            Path("/proc/self/comm").write_text(f"p8s-{name}"[:15])
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def redirect_output(path: Path) -> None:
    """Standard output and error go to the log file; a large one is put aside as `<name>.1` first."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for target in (1, 2):
        os.dup2(descriptor, target)
    os.close(null)
    os.close(descriptor)
