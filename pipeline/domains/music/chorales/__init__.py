"""Chorales: four voices on a grid of sixteenths, as symbols, in files, in numbers and as scores.

Read `voices` (what a chorale is, and its symbols) first, then `domain`.
"""
