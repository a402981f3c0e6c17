"""Jobs: run pods until enough have succeeded, or too many failed.

Owns: the pods of a Job (and the finalizer by which none is lost before it is counted), and the Job's status.
Receives from: informers of Jobs and pods.
Sends to: the API server, through client.
Never: restarts a container; that is the kubelet's.
"""
