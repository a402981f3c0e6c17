"""The watch cache: every object of a resource, encoded once, and what happened to it lately.

Owns: the one watch of the store, objects in memory, the window of recent events, watchers' bounded queues.
Receives from: the store backend.
Sends to: get, list and watch handlers; in-process subscribers.
Never: writes.
"""
