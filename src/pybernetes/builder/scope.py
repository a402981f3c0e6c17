"""What is in force where an instruction stands: the image so far, the arguments declared in this stage. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.builder.dockerfile.expand import expand, expand_raw, expand_words
from pybernetes.builder.dockerfile.source import Instruction
from pybernetes.builder.dockerfile.stages import arguments
from pybernetes.builder.image import Image

PREDEFINED = tuple(
    name
    for each in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (each, each.lower())
)
"""Arguments that every step sees without declaring them, and that are no part of what it is remembered by."""


@dataclass(slots=True)
class Scope:
    """`build_args` is what the caller gave, `globals` the ARGs before the first FROM, `platform` the automatic ones.

    `used` collects the names of build arguments that something declared.
    """

    image: Image
    escape: str
    build_args: Mapping[str, str | None]
    globals: Mapping[str, str]
    platform: Mapping[str, str]
    used: set[str]
    args: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What `$name` stands for: the environment wins over arguments."""
        return {**self.args, **self.image.env}

    def expand(self, text: str, line: int) -> str:
        return expand(text, self.variables, self.escape, line)

    def expand_words(self, text: str, line: int) -> list[str]:
        return expand_words(text, self.variables, self.escape, line)

    def expand_raw(self, text: str, line: int) -> str:
        return expand_raw(text, self.variables, self.escape, line)

    def declare(self, instruction: Instruction) -> list[str]:
        """Take over the arguments of an ARG; returns them as history shows them."""
        shown = []
        for name, default in arguments(instruction, self.escape):
            self.used.add(name)
            value = self.build_args.get(name)
            if value is None:
                if default is not None:
                    value = self.expand(default, instruction.line)
                else:
                    value = self.globals.get(name, self.platform.get(name))
            if value is not None:
                self.args[name] = value
            shown.append(name if value is None else f"{name}={value}")
        return shown

    def process_env(self) -> dict[str, str]:
        """The environment of a RUN, without the predefined arguments."""
        return {
            name: value for name, value in self.variables.items() if name not in PREDEFINED or name in self.image.env
        }

    def proxies(self) -> dict[str, str]:
        """The predefined arguments that the caller gave."""
        given = {name: self.args.get(name) or self.build_args.get(name) for name in PREDEFINED}
        return {name: value for name, value in given.items() if value and name not in self.image.env}
