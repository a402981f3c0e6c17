"""Acts that bring a pod up.

Owns: the sandbox, and a container from its image to its postStart hook.
Receives from: `performing` (what the plan asks for).
Sends to: the runtime; `memory`, what failed and when to try again; events, what was done and why it was not.
Never: raises for what may come right by itself, but for cancellation and a runtime that is away.
"""
