"""OCI bundles: CRI's configuration and the image's, as a config.json of the OCI runtime spec.

Owns: the meaning of every security and resource field, the default seccomp profile.
Receives from: service.
Sends to: launcher, runc or crun.
Never: runs anything; all is computed, but for the image's user database, read below its root.
"""
