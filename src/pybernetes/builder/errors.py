"""The one error of a build."""


class BuildError(Exception):
    """The image was not built. The text is in docker's words (`failed to solve: ...`), of one line or several.

    `line` is the Dockerfile's (from 1; 0 where none is to blame), `source` the instruction's own lines, `output` the
    last lines that the failed step printed.
    """

    def __init__(self, message: str, *, line: int = 0, source: str = "", output: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.source = source
        self.output = output


def excerpt(name: str, text: str, first: int, last: int) -> str:
    """The lines of a Dockerfile around those that are to blame, as docker shows them."""
    lines = text.rstrip("\n").split("\n")
    shown = [
        f"{number:4} | {'>>>' if first <= number <= last else '   '} {lines[number - 1]}".rstrip()
        for number in range(max(1, first - 2), min(len(lines), last + 2) + 1)
    ]
    return "\n".join([f"{name}:{first}", "-" * 20, *shown, "-" * 20])
