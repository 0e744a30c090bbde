"""The stages of a run, in order: ingest, train, sample, postprocess, score, report."""
