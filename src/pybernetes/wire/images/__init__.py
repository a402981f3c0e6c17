"""What images are called and what they are described by: names, manifests, indexes.

Owns: the grammar of names, the documents of the OCI image spec.
Receives from: whoever reads a name or a manifest: runtime, kubelet, registry, command line.
Sends to: nobody.
Never: opens a file or a connection.
"""
