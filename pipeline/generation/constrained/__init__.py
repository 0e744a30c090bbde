"""Constrained decoding: logits processors for grammars, constraints and repetition.

Read next: `logits_processor.py`, the one interface; `grammar_constraint.py` and `constraint_processor.py`.
"""
