"""The Pod Security Standards (baseline, restricted) as upstream's PodSecurity plugin applies them.

Owns: the checks of both levels with upstream's words, the labels of namespaces, the plugin.
Receives from: the write path, pods and objects with pod templates.
Sends to: the client, a refusal (enforce) or warnings (warn).
Never: changes a pod.
"""
