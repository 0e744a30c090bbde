"""Fitting a model: Lightning module, trainer, autotuning, callbacks, diagnostics."""
