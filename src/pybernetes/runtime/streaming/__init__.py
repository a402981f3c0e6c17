"""Exec, attach and port-forward as streams: WebSocket and SPDY/3.1, behind one-time tokens.

Owns: the streaming server and its sessions.
Receives from: kubelet and API server, which pass the bytes of a client.
Sends to: launcher (exec, ports), monitors (attach).
Never: decides who may: the token was handed out to whom was allowed.
"""
