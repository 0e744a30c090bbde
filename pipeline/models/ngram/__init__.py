"""Interpolated n-gram (Markov) models: counts, escape weights, the choice of the order."""
