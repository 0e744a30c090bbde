"""What is fast and what is good, measured: each module is a command that ends in one line of JSON."""

from pipeline.runtime import process

# Before torch is imported by any of the commands.
process.prepare()
