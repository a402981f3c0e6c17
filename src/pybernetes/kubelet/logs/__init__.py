"""Container logs in CRI format: read from any line on, through rotations, and followed without polling.

Owns: parsing, selecting, following, and the rotation of what grew too large.
Receives from: the kubelet's server, the status maker.
Sends to: whoever reads the log.
Never: writes a log line.
"""
