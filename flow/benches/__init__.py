"""Figure families of `make bench`: one file each, with a function `measure(bench: Bench) -> list[Figure]`."""
