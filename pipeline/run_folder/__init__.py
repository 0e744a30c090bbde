"""The folder of a run: its manifest, its lock, and the reuse of finished stages. Start with `folder.py`."""
