"""Compiled decoding: packed weights, decode steps, samplers and scorers in numba."""
