"""YAML bodies, in and out. Few clients send any, so that PyYAML is loaded with the first, not with the server."""

from __future__ import annotations


def from_yaml(data: bytes) -> object:
    """The one document as JSON values. Raises ValueError."""
    from pybernetes.apiserver import yaml_documents

    return yaml_documents.from_yaml(data)


def repeated_keys(data: bytes) -> str:
    """The complaint about keys that stand twice in a map of a document that `from_yaml` takes; "" for none."""
    from pybernetes.apiserver import yaml_documents

    return yaml_documents.repeated_keys(data)


def to_yaml(value: object) -> bytes:
    """The value as one YAML document, keys sorted, as upstream writes it."""
    from pybernetes.apiserver import yaml_documents

    return yaml_documents.to_yaml(value)
