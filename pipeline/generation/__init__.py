"""Drawing new sequences: decoders (how one symbol is chosen) and the engine (how all of them are)."""
