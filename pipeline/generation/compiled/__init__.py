"""Sampling and surprisal as compiled code: exported weights, decode steps, matrix products, the sampler.

Every module here has a plain counterpart in torch and is tested against it. Read next: `sampler.py`, then
`decode_step.py`, `recurrent_step.py` and `packed_weights.py`.
"""
