"""Invented people and everything that they keep at Google: pure functions, no I/O."""
