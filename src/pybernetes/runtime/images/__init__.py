"""Images by name and digest: references, registries, the content store, archives.

Owns: blobs, the index of images, the way from a name to unpacked layers.
Receives from: CRI's ImageService, the command line, the builder.
Sends to: registries over HTTPS; snapshots (layers to unpack).
Never: trusts a name, a digest or a path that came with an image.
"""
