"""The process beside each container, which outlives runtime and kubelet.

Owns: the container's terminal or pipes, its log, its exit record, and its control socket.
Receives from: service (requests over the zygote, then over the control socket), the container.
Sends to: the log file, attached clients, exit.json.
Never: decides about restarts, or needs anything of the runtime once the container runs.
"""
