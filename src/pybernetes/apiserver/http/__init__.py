"""HTTP/1.1 as the API server needs it: requests in, answers, streams and upgraded connections out.

Owns: parsing, framing, limits, keep-alive, graceful close.
Receives from: sockets.
Sends to: the chain.
Never: knows Kubernetes objects.
"""
