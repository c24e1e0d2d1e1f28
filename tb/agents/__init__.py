"""pyuvm agents, a folder an interface. Items are batches: one sequence item carries as much as one wake of Python is worth."""
