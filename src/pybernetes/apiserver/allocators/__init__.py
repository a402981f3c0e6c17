"""Numbers that no two services may share: addresses of the service ranges, node ports.

Owns: which addresses and ports are taken, and the choice of free ones.
Receives from: the Service strategy, inside a write.
Sends to: the registry (IPAddress objects: the durable record that other servers see too).
Never: speaks to a network.
"""
