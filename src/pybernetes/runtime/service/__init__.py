"""The RuntimeService: each RPC is a file, over the state that core.py holds.

Owns: sandboxes and containers, their states and their records.
Receives from: kubelet (through cri), monitors.
Sends to: launcher, network, images and snapshots, cgroups.
Never: blocks the event loop, or keeps in memory alone what a restart needs.
"""
