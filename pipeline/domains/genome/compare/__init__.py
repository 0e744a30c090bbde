"""Samples of DNA beside real, Markov and shuffled DNA: measures, and what is new."""
