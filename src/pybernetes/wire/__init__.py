"""Protocols without sockets: WebSocket channels, SPDY/3.1, protobuf, DNS messages, cron expressions.

Owns: bytes to values and back.
Receives from: nobody; sans-I/O.
Sends to: apiserver, client, kubelet, dns.
Never: opens a connection.
"""
