"""What the training text, and a sequence so far, say about the next symbol: counts after contexts of many
orders, and copies that are followed. Read `index.py`, then `reader.py`, then `study.py`."""
