"""API priority and fairness: which requests run at once, and which wait or are turned away (KEP 1040).

Owns: the compiled FlowSchemas and PriorityLevelConfigurations, seats, queues of waiting requests.
Receives from: the chain, each request; the registry, the two kinds' objects.
Sends to: the chain, the request once it has its seats; 429 where there is no room.
Never: waits where a seat is free.
"""
