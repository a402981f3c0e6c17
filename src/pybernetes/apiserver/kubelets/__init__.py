"""The API server as a client: of kubelets (logs, exec, attach, port-forward) and of what runs on the nodes (proxy).

Owns: where a kubelet listens and how it knows this server, plain forwarding, upgraded connections byte for byte.
Receives from: the streaming and proxy actions of resources/.
Sends to: kubelets over HTTPS; pods and services over HTTP.
Never: opens a connection for the client before the other side has agreed to it (CVE-2018-1002105).
"""
