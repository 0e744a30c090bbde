"""Tunes in ABC notation: read, checked, learned, drawn by a grammar, mended."""
