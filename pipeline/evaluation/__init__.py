"""How good is a model: bits, Markov baselines, exact matches, metric comparison."""
