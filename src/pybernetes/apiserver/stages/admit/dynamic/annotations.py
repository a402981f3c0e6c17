"""Annotations of the audit event that webhooks and policies make."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from pybernetes.api.names import qualified_name
from pybernetes.apiserver.admission import Attributes

log = logging.getLogger(__name__)


def annotate(attributes: Attributes, key: str, value: str) -> None:
    """Keys are qualified names with a prefix, and the first value stays."""
    audit = attributes.ctx.audit
    if key.count("/") != 1 or qualified_name(key) or audit.get(key, value) != value:
        log.warning("audit annotation is not added key=%s value=%s", key, value)
        return
    audit[key] = value


def annotate_json(attributes: Attributes, key: str, value: Any) -> None:
    """As Go writes JSON into a string."""
    text = msgspec.json.encode(value).decode()
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    annotate(attributes, key, text)
