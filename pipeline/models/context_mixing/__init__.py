"""Context mixing: what a training text and the sequence so far say about the next symbol.

Read `context_index.py` (counts after contexts), `copy_experts.py` (copies), `evidence.py` (both at every
symbol), and `training_evidence.py` (the evidence of a training split).
"""
