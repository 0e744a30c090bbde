"""Chorales: four voices on a grid of sixteenths, with their symbols, files, metrics and scores.

Read `voices.py` (a chorale and its symbols) first, then `domain.py`.
"""
