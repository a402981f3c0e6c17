"""Exec, attach and port-forward as streams: WebSocket and SPDY/3.1, behind one-time tokens.

Owns: the streaming server, the protocols, and the sessions' channels.
Receives from: kubelet and API server, which pass the bytes of a client.
Sends to: whoever offered the stream (a runtime, a simulator): a session to run, a port to connect to.
Never: decides who may: the token was handed out to whom was allowed.
"""
