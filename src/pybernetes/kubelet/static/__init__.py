"""Static pods: manifests in a directory of this node, and their mirrors in the API.

Owns: reading manifests, mirror pods.
Receives from: the file system (inotify), the API server (mirrors).
Sends to: the kubelet (pods), the API server (mirrors).
Never: runs anything.
"""
