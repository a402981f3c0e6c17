"""The rules of pods, and of pod specs wherever they stand.

Owns: containers, volumes, scheduling, security and the little that may change in a pod.
Receives from: `validate` and the kinds that hold pod templates.
Sends to: both, errors below the path that they give.
Never: decides what admission decides, such as which service account exists.
"""
