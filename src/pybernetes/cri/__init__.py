"""The seam between kubelet and runtime: CRI v1's types and services.

Owns: types.py (CRI v1 messages), service.py (two Protocols), errors, testsuite.py.
Receives from: kubelet.
Sends to: runtime in this process or over a socket; containerd over gRPC.
Never: implements a container.
"""
