"""The p8s command.

Owns: arguments, progress, exit codes, what the user reads.
Receives from: the user.
Sends to: cluster, client.
Never: holds logic that another front end would need.
"""
