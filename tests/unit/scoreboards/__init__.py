"""Unit tests of the scoreboards, on synthetic logs."""
