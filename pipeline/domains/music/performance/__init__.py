"""MIDI performances as events, and any folder of MIDI."""
