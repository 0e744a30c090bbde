"""Sweeps: many runs over settings, checked before the first, and summarised in one table and one page.

Hydra runs the jobs; `callback.py` checks them all beforehand, `jobs.py` reads what they made, and
`summary.py` writes `sweep.tsv`, `sweep_jobs.tsv` and `sweep.html`.
"""
