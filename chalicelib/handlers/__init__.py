"""Chalice blueprints, one audience a file."""
