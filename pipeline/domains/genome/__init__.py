"""Genomes: read FASTA and GenBank, write FASTA, compare with real DNA, search with BLAST.

Read next: `nucleotide.py`, the domain; `fasta.py` and `stretches.py`, how a file becomes records;
`compare/statistics.py` and `compare/originality.py`, how samples are judged; `blast/blast.py`.
"""
