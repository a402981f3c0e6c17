"""Expressions over claims and over the user that they make."""

from __future__ import annotations

from functools import lru_cache

from pybernetes.api.cel.environment import Environment, Program
from pybernetes.api.cel.types import DYN


@lru_cache(maxsize=256)
def compile_claims(source: str) -> Program:
    """Raises CompileError."""
    return Environment({"claims": DYN}).compile(source)


@lru_cache(maxsize=256)
def compile_user(source: str) -> Program:
    """Raises CompileError."""
    return Environment({"user": DYN}).compile(source)
