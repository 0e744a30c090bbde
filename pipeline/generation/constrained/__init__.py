"""Constrained decoding: automata, grammars, logits processors."""
