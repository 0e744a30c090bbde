"""Training kernels: recurrent cells and layers, linear scan, bfloat16 products."""
