"""The console script. Ctrl-C while modules are loaded ends it as it ends any program: with no traceback."""

import signal


def run() -> int:
    """The exit code. Who had Ctrl-C ignored (nohup, a shell's `&`) has it ignored here, too."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pybernetes.cli.main import main

    signal.signal(signal.SIGINT, before)
    return main()
