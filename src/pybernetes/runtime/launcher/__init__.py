"""The builtin OCI runtime: starts what a bundle describes, from a small process with one thread.

Owns: the zygote, and the way from a fork to the container's execve.
Receives from: service (through zygote.Zygote), monitor.
Sends to: the kernel.
Never: imports what a monitor would then carry, resolves a path in a root by name, or leaves a descriptor open.
"""
