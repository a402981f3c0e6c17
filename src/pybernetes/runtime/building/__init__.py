"""The steps of image builds: files copied, directories made, processes run, each over the layers of the step before.

Owns: the roots, mounts and sandboxes of running steps, cache mounts.
Receives from: builder, through cri/building.py.
Sends to: images (layers, results, finished images), launcher, network.
Never: reads a Dockerfile, or resolves a path of a context, an image or a cache by name alone.
"""
