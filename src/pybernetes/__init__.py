"""Kubernetes, whole, in Python."""

__version__ = "0.1.0"
API_LEVEL = "1.36"
"""The Kubernetes version whose API, words and behaviour this is."""
