"""The end points of docker's API, a file for each family.

Owns: parameters, statuses and the shape of answers.
Receives from: app.py.
Sends to: the door, the builder.
Never: pretends: what is not served is refused by name, with what to use instead.
"""
