"""MIDI performances as events, and folders of any MIDI files.

Read `event_tokens.py` (pieces as events) first, then `domain.py`. `midi_domain.py` chooses the domain of a
folder.
"""
