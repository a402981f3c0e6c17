"""Logs and metrics.

Owns: the logging format (constant message, key=value) and the metrics registry.
Receives from: all layers.
Sends to: stderr or files, /metrics.
Never: decides anything.
"""
