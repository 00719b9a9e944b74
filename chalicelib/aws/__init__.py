"""Signed requests to AWS on kept connections, for the few that a page waits for; the rest is botocore's."""
