"""BLAST: installed, embedded or on a server; its databases, hits, and what they are worth."""
