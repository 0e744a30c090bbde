"""Comparison of sampled DNA with real, Markov and shuffled DNA: metrics and originality."""
