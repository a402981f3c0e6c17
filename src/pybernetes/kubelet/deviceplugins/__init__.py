"""Device plugins (v1beta1): extended resources of the node that plugins announce, and hand to containers.

Owns: `<root>/device-plugins/kubelet.sock`, which container has which device (`<root>/device_plugins.json`), the sockets of
PodResources.
Receives from: device plugins, pod workers.
Sends to: device plugins (gRPC); capacity and allocatable of the node.
Never: chooses by topology; every policy but `none` of upstream's topology manager is out of scope.
"""
