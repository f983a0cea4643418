"""Where runs and schedules are kept: the contract, and SQL."""
