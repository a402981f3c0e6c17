"""A container of a pod as the runtime's configuration: command, environment, mounts, security, sandbox.

Owns: everything that turns API fields into CRI fields.
Receives from: the pod worker's acting shell.
Sends to: nobody; the shell passes the configuration to the runtime.
Never: talks to the runtime.
"""
