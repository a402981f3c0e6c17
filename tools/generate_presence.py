"""Generate facts/presence-1.36.json: what the wire forms of a field depend on beyond its OpenAPI type.

    git clone --branch v0.36.2 https://github.com/kubernetes/{api,apimachinery,apiextensions-apiserver,kube-aggregator}
    python tools/generate_presence.py <directory of the four clones>

Read off the type declarations, per definition and only where there is something to tell:
`zeros` field -> the value that an answer holds when nothing was set, `pointers` fields that protobuf omits when unset,
`inline` protobuf field -> definition whose JSON fields are those of its parent, `defaults` declared default values,
`protobuf` field -> its name in protobuf where that is another one, `types` field -> its Go type where that has a name of
its own, `embedded` field -> the Go type that it is embedded with, whose name errors tell.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEVEL = "1.36"
OUTPUT = Path(__file__).resolve().parent.parent / "src" / "pybernetes" / "api" / "facts" / f"presence-{LEVEL}.json"
MODULES = ("api", "apimachinery", "apiextensions-apiserver", "kube-aggregator")
SCALAR_ZEROS: dict[str, Any] = {"string": "", "bool": False, "float64": 0} | dict.fromkeys(
    ("int", "int32", "int64", "uint32", "uint64", "uint8", "byte"), 0
)
SPECIAL_ZEROS: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": None,
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": None,
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "0s",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "0",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": 0,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": None,
    "io.k8s.apimachinery.pkg.runtime.Object": None,
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": None,
}
STRUCT = re.compile(r"^type (\w+) struct ?\{(?:\}|\n(.*?)^\})", re.M | re.S)
ALIAS = re.compile(r"^(?:type |\t)(\w+) (=? ?[\w.\[\]*]+)(?: *//.*)?$", re.M)
IMPORT = re.compile(r'^\s*(?:import )?(\w+ )?"(k8s\.io/[^"]+)"$', re.M)
FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.\[\]*]+)\s+`(.*)`")
DEFAULT = re.compile(r"^\t// \+default=(.+)$")


@dataclass
class Field:
    type: str
    name: str
    options: set[str]
    protobuf: str
    default: Any = None


@dataclass
class Package:
    path: str
    imports: dict[str, str] = field(default_factory=dict)
    structs: dict[str, list[Field]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """The definition name of a Go type as this package writes it; scalars stay as they are."""
        if name in SCALAR_ZEROS:
            return name
        package, _, local = name.rpartition(".")
        return f"{definition_prefix(self.imports.get(package, package) if package else self.path)}.{local}"


def definition_prefix(path: str) -> str:
    return "io." + path.replace("k8s.io", "k8s", 1).replace("/", ".")


def parse(path: str, directory: Path) -> Package:
    package = Package(path)
    for source in sorted(directory.glob("*.go")):
        if source.name.endswith("_test.go") or source.name.startswith(("zz_", "generated")):
            continue
        text = source.read_text()
        for alias, imported in IMPORT.findall(text):
            package.imports[alias.strip() or imported.rsplit("/", 1)[1]] = imported
        for name, body in STRUCT.findall(text):
            package.structs[name] = fields(body)
        for name, target in ALIAS.findall(STRUCT.sub("", text)):
            package.aliases.setdefault(name, target.lstrip("= "))
    return package


def fields(body: str) -> list[Field]:
    found: list[Field] = []
    default = None
    for line in body.splitlines():
        if told := DEFAULT.match(line):
            default = json.loads(told[1]) if told[1][0] in '"{[0123456789tf' else None
        elif match := FIELD.match(line):
            tags = dict(re.findall(r'(\w+):"([^"]*)"', match[3]))
            name, *options = tags.get("json", "-").split(",")
            found.append(
                Field(match[2], name, set(options), protobuf_name(match[2], tags.get("protobuf", "")), default)
            )
            default = None
    return found


def protobuf_name(go_type: str, tag: str) -> str:
    """The field's name in protobuf; an embedded struct is by default named after its type."""
    told = re.search(r"name=(\w+)", tag)
    return told[1] if told else go_type[:1].lower() + go_type[1:] if tag else ""


class Reader:
    def __init__(self, root: Path) -> None:
        self.packages: dict[str, Package] = {}
        for module in MODULES:
            for directory in sorted({p.parent for p in (root / module).rglob("*.go")}):
                path = f"k8s.io/{directory.relative_to(root)}"
                self.packages[definition_prefix(path)] = parse(path, directory)

    def struct(self, definition: str) -> tuple[Package, list[Field]] | None:
        prefix, _, local = definition.rpartition(".")
        package = self.packages.get(prefix)
        if package is not None and local not in package.structs and local in package.aliases:
            return self.struct(package.resolve(package.aliases[local]))
        return (package, package.structs[local]) if package and local in package.structs else None

    def zero(self, package: Package, go_type: str) -> Any:
        """The JSON of the type's zero value."""
        if go_type.startswith(("*", "[", "map")):
            return None
        name = package.resolve(go_type)
        if name in SPECIAL_ZEROS:
            return SPECIAL_ZEROS[name]
        if name in SCALAR_ZEROS:
            return SCALAR_ZEROS[name]
        if self.struct(name):
            return {}
        prefix, _, local = name.rpartition(".")
        owner = self.packages.get(prefix)
        if owner is None or local not in owner.aliases:
            return ""  # a string type of a package that is not read, such as types.UID
        return self.zero(owner, owner.aliases[local])

    def tell(self, definition: str) -> dict[str, Any]:
        found = self.struct(definition)
        if found is None:
            return {}
        package, members = found
        zeros: dict[str, Any] = {}
        pointers: set[str] = set()
        inline: dict[str, str] = {}
        defaults: dict[str, Any] = {}
        protobuf: dict[str, str] = {}
        types: dict[str, str] = {}
        embedding: dict[str, str] = {}
        for member in members:
            target = member.type.lstrip("*")
            if member.name == "" and "inline" in member.options:
                embedded = self.tell(package.resolve(target))
                zeros |= embedded.get("zeros", {})
                defaults |= embedded.get("defaults", {})
                pointers |= set(embedded.get("pointers", ()))
                types |= embedded.get("types", {})
                embedding |= self.embedding(package, target)
                if member.protobuf:
                    inline[member.protobuf] = package.resolve(target)
            elif member.name not in ("", "-"):
                if self.is_written(package, member):
                    zeros[member.name] = self.zero(package, member.type)
                if member.type.startswith("*"):
                    pointers.add(member.name)
                if named := self.type_name(package, member.type):
                    types[member.name] = named
                if member.default is not None:
                    defaults[member.name] = member.default
                if member.protobuf not in ("", member.name):
                    protobuf[member.name] = member.protobuf
        told = {
            "zeros": zeros,
            "pointers": sorted(pointers),
            "inline": inline,
            "defaults": defaults,
            "protobuf": protobuf,
            "types": types,
            "embedded": embedding,
        }
        return {key: value for key, value in told.items() if value}

    def embedding(self, package: Package, target: str) -> dict[str, str]:
        """The fields of an embedded struct -> the way to them, through structs embedded there too."""
        found = self.struct(package.resolve(target))
        if found is None or target.endswith("TypeMeta"):
            return {}
        owner, members = found
        name = target.rpartition(".")[2]
        ways: dict[str, str] = {}
        for member in members:
            if member.name == "" and "inline" in member.options:
                below = self.embedding(owner, member.type.lstrip("*"))
                ways |= {field_name: f"{name}.{way}" for field_name, way in below.items()}
            elif member.name not in ("", "-"):
                ways[member.name] = name
        return ways

    def type_name(self, package: Package, go_type: str) -> str:
        """The type as errors tell it, "" where it is made of unnamed types only, or is a struct."""
        plain = go_type.replace("*", "")
        shape = re.match(r"((?:\[\]|map\[\w+\])*)(.*)", plain)
        assert shape is not None
        before, name = shape.groups()
        full = package.resolve(name)
        prefix, _, local = full.rpartition(".")
        owner = self.packages.get(prefix)
        if full in SCALAR_ZEROS or full in SPECIAL_ZEROS or owner is None or local in owner.structs:
            return ""
        if local not in owner.aliases or self.struct(full):
            return ""
        return f"{before}{prefix.rpartition('.')[2]}.{local}"

    def is_written(self, package: Package, member: Field) -> bool:
        """Whether Go's encoder writes the field's zero value: `omitempty` never leaves out a struct."""
        if "omitzero" in member.options:
            return False
        return "omitempty" not in member.options or self.struct(package.resolve(member.type)) is not None


def wanted() -> set[str]:
    """The definitions that the other facts name."""
    schema = json.loads(OUTPUT.with_name(f"schema-{LEVEL}.json").read_text())
    protobuf = json.loads(OUTPUT.with_name(f"protobuf-fields-{LEVEL}.json").read_text())
    names = {definition_prefix(name.replace("k8s.io.", "k8s.io/", 1)) for name in protobuf}
    return set(schema) | {re.sub("(apiextensions|kube)_", r"\1-", name) for name in names}


def main() -> None:
    reader = Reader(Path(sys.argv[1]))
    names = wanted()
    out = {}
    for prefix, package in reader.packages.items():
        for name in (*package.structs, *package.aliases):
            if f"{prefix}.{name}" in names and (told := reader.tell(f"{prefix}.{name}")):
                out[f"{prefix}.{name}"] = told
    OUTPUT.write_text(json.dumps(out, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
