"""Random days in the life of a shop, with two schedulers, faults at every door and restarts."""
