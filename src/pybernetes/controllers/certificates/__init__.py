"""Certificate signing requests: approves kubelets' own, signs what is approved, sweeps up what is old.

Owns: the conditions that approve kubelet client certificates, and the certificates of the kubernetes.io signers.
Receives from: informers of CertificateSigningRequests; the CA's files.
Sends to: the API server, through client.
Never: approves what is not a kubelet's.
"""
