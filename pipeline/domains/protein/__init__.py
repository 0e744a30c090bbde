"""Proteins: read FASTA of amino acids, write FASTA, compare with real proteins. What all sequence files have
in common (FASTA, divergences, BLAST) is in `pipeline/domains/genome/`.

Read next: `protein.py`, the domain; `cleaning.py`, how a file becomes records.
"""
