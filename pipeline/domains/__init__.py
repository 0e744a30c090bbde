"""The domains: text, genomes, proteins, music. Nothing outside knows one by name."""
