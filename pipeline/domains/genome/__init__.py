"""Genomes: read FASTA and GenBank, write FASTA, compare with real DNA, search with BLAST.

Read next: `domain.py`, the domain; `fasta.py` and `known_intervals.py`, how a file becomes records;
`compare/statistics.py` and `compare/originality.py`, how samples are judged; `blast/local_search.py`.
"""
