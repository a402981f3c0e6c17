"""Control groups of containers, on v1, hybrid and v2 hosts.

Owns: the directories below a container's cgroup path, their limits and their end.
Receives from: launcher (create, enter), monitor (oom, kill, remove), service (limits, statistics).
Sends to: the cgroup file systems.
Never: imports more than the launcher's small process can afford.
"""
