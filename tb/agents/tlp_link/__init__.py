"""Agent of one direction of a TLP link: batches of TLPs in, observed TLPs out."""
