"""The two CRI services over a unix socket: the Protocols between processes, without gRPC.

Owns: frames, a server that calls an implementation, a client that is one.
Receives from: kubelet.
Sends to: runtime.
Never: knows what the methods do: their signatures are all it needs.
"""

from pybernetes.cri.socket.client import Client, connect
from pybernetes.cri.socket.server import serve

__all__ = ["Client", "connect", "serve"]
