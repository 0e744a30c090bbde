"""Piano music as text: one piece a line, notes as MIDI numbers with blanks between, and nothing else.

Read `notes` (the form, and which notes are chords) first, then `domain`.
"""
