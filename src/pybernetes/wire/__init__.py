"""Protocols without sockets: WebSocket channels, SPDY/3.1, protobuf, DNS messages, cron expressions, image names.

Owns: bytes to values and back.
Receives from: nobody; sans-I/O.
Sends to: apiserver, client, kubelet, dns, runtime.
Never: opens a connection.
"""
