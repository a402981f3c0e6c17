"""The image under construction: its config document (OCI image spec, config.md, with docker's additions). Pure."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from pybernetes.cri.building import Filesystem

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ["/bin/sh", "-c"]
_COMMENT = "pybernetes.builder.v1"


class Image:
    """The config, and the files that it goes with. A stage has one of its own, a copy of its base's."""

    def __init__(self, document: dict[str, Any], filesystem: Filesystem) -> None:
        self.document = document
        self.filesystem = filesystem
        self._cmd_is_own = False

    @classmethod
    def scratch(cls, architecture: str) -> "Image":
        config = {"Env": [f"PATH={DEFAULT_PATH}"], "WorkingDir": "/"}
        return cls({"architecture": architecture, "os": "linux", "config": config, "history": []}, Filesystem())

    @classmethod
    def of(cls, config: bytes, filesystem: Filesystem) -> "Image":
        """Of a base image; raises ValueError if its config is no document."""
        document = json.loads(config)
        document["config"] = document.get("config") or {}
        history = document.get("history") or []
        # Engines want a line of history for each layer.
        missing = len(filesystem.layers) - sum(not line.get("empty_layer") for line in history)
        document["history"] = [*({"comment": "base"} for _ in range(missing)), *history]
        return cls(document, filesystem)

    def fork(self) -> "Image":
        """For a stage that begins from this one."""
        return Image(copy.deepcopy(self.document), self.filesystem)

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.document["config"]
        return config

    @property
    def env(self) -> dict[str, str]:
        return dict(entry.partition("=")[::2] for entry in self.config.get("Env") or ())

    @property
    def cwd(self) -> str:
        return self.config.get("WorkingDir") or "/"

    @property
    def user(self) -> str:
        return self.config.get("User") or ""

    @property
    def shell(self) -> list[str]:
        return self.config.get("Shell") or DEFAULT_SHELL

    def set_env(self, name: str, value: str) -> None:
        self.config["Env"] = [f"{key}={each}" for key, each in (self.env | {name: value}).items()]

    def set_entrypoint(self, words: list[str]) -> None:
        """An entrypoint takes the arguments of the base's with it, unless this stage has set its own."""
        self.config["Entrypoint"] = words or None
        if not self._cmd_is_own:
            self.config.pop("Cmd", None)

    def set_cmd(self, words: list[str]) -> None:
        self.config["Cmd"] = words
        self._cmd_is_own = True

    def add_keys(self, field: str, keys: Sequence[str]) -> None:
        """Into one of the maps whose values mean nothing: Volumes, ExposedPorts."""
        self.config[field] = {**(self.config.get(field) or {}), **{key: {} for key in keys}}

    def add_labels(self, labels: dict[str, str]) -> None:
        if labels:
            self.config["Labels"] = {**(self.config.get("Labels") or {}), **labels}

    def take_triggers(self) -> list[str]:
        """What the base's ONBUILD has left for its children; it is theirs, and not their children's."""
        return self.config.pop("OnBuild", None) or []

    def note(self, said: str, *, created: str = "", filesystem: Filesystem | None = None) -> None:
        """A line of history; with a `filesystem` that has a new layer, that layer's."""
        line: dict[str, Any] = {"created_by": said, "comment": _COMMENT}
        if created:
            line = {"created": created, **line}
        elif self.document.get("created"):
            line = {"created": self.document["created"], **line}
        if filesystem is None or filesystem == self.filesystem:
            line["empty_layer"] = True
        else:
            self.filesystem = filesystem
            self.document["created"] = created
        self.document["history"].append(line)

    def encode(self) -> bytes:
        """The same image gives the same bytes."""
        config = {key: value for key, value in self.config.items() if value not in (None, "", [], {})}
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in self.filesystem.layers]}
        document = {**self.document, "config": config, "rootfs": rootfs}
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
