"""Samples compared with real sequences and baselines, metric by metric: which group is nearer to the real
sequences, and whether by more than chance.

A domain makes its groups countable (`groups.py`), names its metrics (`metric.py`) and compares them
(`comparison.py`, `result.py`). It gets a table (`table.py`), conclusions in sentences (`conclusions.py`) and
plots (`plots.py`).
"""
