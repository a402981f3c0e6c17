"""Tables, as kubectl prints them: one file per family of kinds.

Owns: the cells of each kind, and rows made once per object.
Receives from: get, list and watch handlers.
Sends to: negotiate.py, as bytes.
Never: changes an object.
"""
