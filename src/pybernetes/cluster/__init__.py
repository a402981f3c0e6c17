"""Makes a cluster of the parts: certificates, kubeconfig, profiles, supervisor.

Owns: /var/lib/pybernetes/<profile>, /run/pybernetes/<profile>, the processes, the cluster's routes.
Receives from: cli.
Sends to: every component (flags, credentials), the user's kubeconfig.
Never: handles an API request.
"""
