"""The asyncio kit: supervised tasks, worker threads, back-off, clocks.

Owns: every bare create_task and thread of the project.
Receives from: all layers.
Sends to: nobody.
Never: knows Kubernetes.
"""
