"""Container logs in the CRI format.

Owns: how a line is written.
Receives from: monitor.
Sends to: the log file that the kubelet named.
Never: reads or rotates a log: the kubelet does, and then asks for it to be opened anew.
"""
