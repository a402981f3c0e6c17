"""The table as nftables maps: one table of ours, written over netlink, one transaction per sync.

Owns: expressions, the fixed chains, what one service port adds to them, the transaction.
Receives from: the proxy.
Sends to: nfnetlink.
Never: touches a table that is not its own.
"""
