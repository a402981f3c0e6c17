"""A Dockerfile to an image in the cluster's own store.

Owns: the Dockerfile's grammar and meaning, the plan of stages, cache keys, progress.
Receives from: cli, and whoever serves docker's API.
Sends to: a runtime, through cri/building.py: all work on files, every process and the store are on its side.
Never: opens a file of the context or of a root itself.
"""
