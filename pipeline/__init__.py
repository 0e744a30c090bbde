"""Generate sequences in a domain: genomes and music.

Start with `conf/config.yaml` (every setting on one page), then `pipeline/stages.py` (the way of
the data), then `pipeline/text.py` (the smallest domain).
"""

__version__ = "0.1.0"
