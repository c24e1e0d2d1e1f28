"""Driver code on the Platform protocol."""
