"""The HorizontalPodAutoscaler controller.

Owns: how many replicas the metrics ask for, how fast that may change, the conditions that say why.
Receives from: informers of HorizontalPodAutoscalers and pods; `metrics.k8s.io`.
Sends to: the scale of the target, the autoscaler's status, events.
Never: polls metrics while there is no autoscaler.
"""
