"""Owns: JSON patch, merge patch, strategic merge patch, server-side apply and the ownership of fields.
Receives from: handlers of the API server (JSON trees, schema nodes, the time).
Sends to: nobody; every function returns new trees and leaves its arguments as they were.
Never: does I/O, knows a kind by name, validates what only a kind can know.
"""
