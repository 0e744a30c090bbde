"""From a trained model to sequences: sampling, beam search, infilling and surprisal.

Read next: `sampling_run.py` (from settings to samples), `engine.py` (the sampling loop), `constrained/`
(constrained decoding), `compiled/` (the same loops as compiled code).
"""
