"""Docker's Engine API over the cluster's images, as far as images go: what `docker build`, `push`, `images` ask.

Owns: docker's words, objects, versions and streams of progress.
Receives from: unmodified docker clients, over a unix socket.
Sends to: the runtimes, through cri/door.py; the builder.
Never: runs a container: that is kubectl's, and it says so.
"""
