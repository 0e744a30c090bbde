"""Settings: their schema, their checks, and the objects that YAML names."""
