"""Conditional requests (RFC 9110, section 13): who has a document already is told so."""

from __future__ import annotations


def has_already(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match names the document: any of its tags, weak ones too, or `*` for whatever there is."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
