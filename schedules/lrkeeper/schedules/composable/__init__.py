"""Schedules in closed form: the value at a time follows from the time alone, however far it is."""
