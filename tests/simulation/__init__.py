"""A deterministic simulation of the protocol; see docs/simulation.md."""
