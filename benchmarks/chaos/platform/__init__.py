"""Chaos for the jobs of the platform: AI, e-mail and search indexing."""
