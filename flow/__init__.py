"""The flow: builds simulations, starts tests as processes, reads their result files, reports.

Nothing of the project imports this package; it starts the rest as processes (`python -m flow --help`).
"""
