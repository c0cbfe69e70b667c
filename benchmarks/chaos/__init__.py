"""Chaos runs: real workers and stores under faults that a seed decides, and a verdict."""
