"""What several API servers over one store tell one another: that they live, and where.

Owns: this server's identity Lease, its entry among the addresses of `kubernetes`, compaction of the store.
Receives from: the watch cache, the other servers' entries.
Sends to: the store, and the registry as any client would.
Never: runs over a store that nobody else writes to.
"""
