"""Kubernetes, whole, in Python.
"""
