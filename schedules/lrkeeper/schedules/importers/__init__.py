"""Schedules of other libraries, said with the kinds of this one: `S.from_hf("cosine", num_warmup_steps=100, ...)`."""
