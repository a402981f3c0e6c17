"""Documents of YAML. PyYAML does the grammar; limits against bombs are here."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final

import yaml

from pybernetes.aio.turns import give_way
from pybernetes.api.decode import duplicate_fields
from pybernetes.apiserver.yaml_scalars import adapt, know_numbers

MAX_DEPTH: Final = 100
MAX_NODES: Final = 500_000
"""Values of a document once its aliases are expanded."""

_TOO_MUCH: Final = "yaml: document contains excessive aliasing or nesting"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Yielding:
    """A reader or writer whose C asks in Python what each value is: in the midst of it, others have their turn."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        give_way()
        return super().resolve(kind, value, implicit)  # type: ignore[misc]  # of the class that this is mixed into


class _PlainLoader(_Yielding, _Loader):  # type: ignore[misc]  # the base is chosen at run time
    """JSON's types only: dates stay strings."""

    def construct_object(self, node: Any, deep: bool = False) -> object:
        give_way()
        return super().construct_object(node, deep)

    def construct_sequence(self, node: Any, deep: bool = False) -> object:
        """Of lists that hold nothing nobody else gives way."""
        give_way()
        return super().construct_sequence(node, deep)

    def construct_mapping(self, node: Any, deep: bool = False) -> object:
        give_way()
        return super().construct_mapping(node, deep)


adapt(_PlainLoader)

# Go's YAML takes y and n for booleans too.
_SHORT_BOOLEAN = ("tag:yaml.org,2002:bool", re.compile("^(?:y|Y|n|N)$"), list("yYnN"))
_PlainLoader.add_implicit_resolver(*_SHORT_BOOLEAN)
_PlainLoader.bool_values = {**_Loader.bool_values, "y": True, "n": False}


class _PlainDumper(_Yielding, _Dumper):  # type: ignore[misc]  # the base is chosen at run time
    """Quotes what the loader would take for something else than the string that it is; says twice what stands twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_data(self, data: object) -> Any:
        give_way()
        return super().represent_data(data)


_PlainDumper.add_implicit_resolver(*_SHORT_BOOLEAN)
know_numbers(_PlainDumper)
del _PlainDumper.yaml_implicit_resolvers["="]  # a text like others
_TEXT: Final = "tag:yaml.org,2002:str"


def _represent_text(dumper: Any, text: str) -> Any:
    """In Go's styles: double quotes where plain it would be read as something else, lines as a literal block."""
    style = None
    if dumper.resolve(yaml.ScalarNode, text, (True, False)) != _TEXT:
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar(_TEXT, text, style)


_PlainDumper.add_representer(str, _represent_text)


def from_yaml(data: bytes) -> object:
    """The first document as JSON values; what comes behind it is not read. Raises ValueError."""
    try:
        _refuse_depth(data)
        loader = _PlainLoader(data)
        try:
            value: object = loader.get_data() if loader.check_data() else None
        finally:
            loader.dispose()
    except yaml.composer.ComposerError as error:
        if "undefined alias" in (error.problem or ""):
            raise ValueError(f"yaml: unknown anchor '{_alias(data, error.problem_mark)}' referenced") from error
        raise ValueError(_go_words(error)) from error
    except yaml.MarkedYAMLError as error:
        raise ValueError(_go_words(error)) from error
    except (yaml.YAMLError, RecursionError, UnicodeError) as error:
        raise ValueError(f"yaml: {_first_words(error)}") from error
    return _Expanded().copy(value, 0)


def _first_words(error: Exception) -> str:
    """What is wrong, without where; Go does not name the character."""
    words = str(error).partition("\n")[0]
    return words.partition(": ")[2] if words.startswith("unacceptable character") else words


def _alias(data: bytes, mark: Any) -> str:
    """The name behind the asterisk at a mark."""
    line = data.decode(errors="replace").splitlines()[mark.line]
    return re.split(r"[^\w-]", line[mark.column :].lstrip("*"), maxsplit=1)[0]


def repeated_keys(data: bytes) -> str:
    """The complaint about keys that stand twice in a map of a document that `from_yaml` takes; "" for none."""
    with contextlib.suppress(ValueError):
        if not duplicate_fields(data):
            return ""  # JSON, as Go's clients send it, is looked through in a twentieth of the time
    found: list[str] = []
    loader = _PlainLoader(data)
    try:
        _note_repeated(loader.get_node() if loader.check_node() else None, found, set())
    finally:
        loader.dispose()
    return "\n  ".join(["yaml: unmarshal errors:", *found]) if found else ""


def _note_repeated(node: Any, found: list[str], visited: set[int]) -> None:
    if id(node) in visited:
        return  # an alias of what has been looked at
    visited.add(id(node))
    give_way()
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _note_repeated(item, found, visited)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                found.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            seen.add(key.value)
        _note_repeated(value, found, visited)


def _refuse_depth(data: bytes) -> None:
    """Of the first document. The loader recurses in C, where too deep a one would end the process; the parser does not."""
    depth = nodes = 0
    for event in yaml.parse(data, Loader=_PlainLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            if depth > MAX_DEPTH:
                raise ValueError("yaml: exceeded max depth")
            if nodes > 2 * MAX_NODES:  # a key and a value
                raise ValueError(_TOO_MUCH)
            give_way()


def _go_words(error: yaml.MarkedYAMLError) -> str:
    """The parser's words; Go names the line except for scanner errors in the first one."""
    line = error.problem_mark.line if error.problem_mark is not None else 0
    if not isinstance(error, yaml.scanner.ScannerError):
        line = max(line, 1)
    elif line:
        line += 1
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem}"


class _Expanded:
    """Copies a value with its aliases expanded and its keys as strings, in order; gives up on bombs."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def copy(self, value: object, depth: int) -> object:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError(_TOO_MUCH)
        if isinstance(value, dict):
            give_way()
            named = {_key(key): item for key, item in value.items()}
            return {key: self.copy(named[key], depth + 1) for key in sorted(named)}
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value]
        return value


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None:
        return "null"
    return str(key)


def to_yaml(value: object) -> bytes:
    """The value as one YAML document, keys sorted, as upstream writes it."""
    text: str = yaml.dump(value, Dumper=_PlainDumper, default_flow_style=False, allow_unicode=True, sort_keys=True)
    return text.encode()
