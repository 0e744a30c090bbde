"""Tunes: ABC notation in and out, bar checking, MIDI, engraved scores, performances and sound.

Read `abc_notation` (text to tokens) and `tune` (tokens to notes and bars) first, then `abc_domain`.
"""
