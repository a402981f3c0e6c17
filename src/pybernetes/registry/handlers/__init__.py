"""The registry's end points, a file for each family of paths.

Owns: what a request says, what an answer's headers and status are.
Receives from: app.py.
Sends to: storage and uploads.
Never: lets a name reach the disk that has not passed names.py.
"""
