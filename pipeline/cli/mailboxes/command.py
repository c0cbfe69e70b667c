"""`headrace mailboxes`, with all of its commands."""

from pipeline.cli.mailboxes import deciding, looking
from pipeline.cli.mailboxes.app import app

__all__ = ["app", "deciding", "looking"]
