"""Label and field selectors: from text or struct to something that matches.

Owns: the grammar of selectors and upstream's words for what it refuses.
Receives from: query parameters, and LabelSelector structs inside objects.
Sends to: lists, watches, controllers and the scheduler.
Never: knows which fields a kind can be selected by; callers say so.
"""
