"""What happens to a run, as pure rules: no I/O, no clock, no SQL."""
