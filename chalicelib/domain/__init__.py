"""The rules of the business, pure: no clock, no randomness, no I/O; times and ids are arguments."""
