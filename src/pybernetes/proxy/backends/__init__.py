"""Ways of making the table hold on this machine.

Owns: one folder per mechanism.
Receives from: the proxy (changed service ports).
Sends to: the kernel.
Never: decides which endpoint may be used.
"""
