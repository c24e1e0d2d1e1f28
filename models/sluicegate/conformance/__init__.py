"""Replay of recorded answers of independent implementations against the golden model."""
