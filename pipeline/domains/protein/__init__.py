"""Proteins: read FASTA of amino acids, write FASTA, compare with real proteins. The code that all sequence
files share (FASTA, BLAST) is in `pipeline/domains/genome/`.

Read next: `domain.py`, the domain; `cleaning.py`, how a file becomes records.
"""
