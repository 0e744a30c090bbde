"""Genomes: read FASTA and GenBank, write FASTA, compare with real DNA, search with BLAST.

Read next: `nucleotide.py`, the domain; `fasta.py` and `stretches.py`, how a file becomes records.
"""
