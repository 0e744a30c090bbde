"""Samples beside real sequences and null models, measure by measure: which are nearer, and whether by more
than chance.

A domain counts (`pools.py`), names its measures (`scoring.py`) and gets a table (`table.py`), verdicts in
words (`verdicts.py`) and pictures (`pictures.py`).
"""
