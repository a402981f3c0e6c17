"""gRPC over unix sockets on `h2`: unary calls and streams of answers, as client and as server.

Owns: HTTP/2 connections, deadlines, status codes. `errors` and `framing` load without `h2`.
Receives from: kubelet.
Sends to: plugins.
Never: knows a service; messages are whatever has `encode` and `decode`.
"""
