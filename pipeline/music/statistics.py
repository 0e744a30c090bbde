"""Statistics of tunes beside the reference groups."""
