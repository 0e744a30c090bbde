"""Sequences as integers: alphabet, corpus on disk, batches, splits, sources."""
