"""Piano music as text: each line is a piece, as MIDI numbers with blanks between them.

Read `notes.py` (the flat form, and its chords) first, then `domain.py`.
"""
