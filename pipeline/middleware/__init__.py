"""Dramatiq middleware, one idea per file."""
