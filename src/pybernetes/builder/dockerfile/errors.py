"""What is wrong with a Dockerfile, and where."""


class ParseError(ValueError):
    """`line` counts from 1; 0 is the file as a whole."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class RefusedError(ParseError):
    """Well written, and not to be had here: a secret that was not given, something that is not supported."""
