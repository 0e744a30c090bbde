"""Music: tunes in ABC notation, chorales, piano music and performances, their comparison and their renders.

For tunes read `abc/abc_notation.py` (text to tokens) and `abc/tune.py` (tokens to notes and bars) first, then
`abc/domain.py`. For music in several voices read `piece.py`, then `chorales/domain.py`. `compare/` compares
samples with real music, and `render/` writes MIDI, scores and sound.
"""
