"""Music: tunes in ABC notation, chorales, piano music and performances; what they are beside real ones; how
they are written, engraved and played.

Read `abc/abc_notation.py` (text to tokens) and `abc/tune.py` (tokens to notes and bars) first, then
`abc/domain.py`; of music in several voices `piece.py`, then `chorales/domain.py`. `render/` makes the files.
"""
