"""Tunes in ABC notation: files, learned form, checks, the grammar for constrained decoding, repairs."""
