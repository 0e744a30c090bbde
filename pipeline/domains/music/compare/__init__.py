"""Comparison of music with real, Markov and shuffled music, and with the training data for copies.

Read `note_table.py` (the notes of a piece) and `piece_set.py` (groups of pieces) first, then `statistics.py`
(the comparison of tunes and pieces) and `originality.py` (copies).
"""
