"""The control loops: one file per controller, level-based, each driven by informers.

Owns: the difference between spec and world for every built-in workload kind.
Receives from: informers.
Sends to: the API server, through client.
Never: keeps state of its own that it could not read again.
"""
