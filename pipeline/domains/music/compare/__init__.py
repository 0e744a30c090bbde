"""Music beside real, Markov and shuffled music: measures, and what is new."""
