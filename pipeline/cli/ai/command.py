"""`headrace ai`, with all of its commands."""

from pipeline.cli.ai import asking, looking
from pipeline.cli.ai.app import app

__all__ = ["app", "asking", "looking"]
