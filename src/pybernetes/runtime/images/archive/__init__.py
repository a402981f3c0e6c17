"""Images in files: OCI layouts (a directory or a tar) and what `docker save` writes.

Owns: reading and writing of archives.
Receives from: the image service.
Sends to: the content store.
Never: writes a file under a name that an archive chose.
"""
