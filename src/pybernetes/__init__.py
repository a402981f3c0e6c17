"""Kubernetes, whole, in Python."""
