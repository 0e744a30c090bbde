"""Model families, one file each. A model is ``(symbols, state) -> (logits, state)``, nothing more."""
