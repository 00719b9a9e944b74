"""One hypothesis profile for the pure rules: the same examples on every run, and no files left behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("domain", derandomize=True, deadline=None, database=None, max_examples=80, print_blob=True)
settings.load_profile("domain")
