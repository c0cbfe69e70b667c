"""What can be done with mail of a pattern, as somebody has asked for it."""

from __future__ import annotations

from models.pattern import PATTERN_ACTIONS
from pipeline.mailbox.folders import Folders
from pipeline.refusals import Refused
from pipeline.stores import Row


def action_of(
    action_type: str, to_folder: str | None, category: str | None, folders: Folders
) -> Row:
    """Return the action as a pattern keeps it.  Raises Refused that names what is wrong."""
    if action_type not in PATTERN_ACTIONS:
        raise Refused("action_type", f"expected one of {', '.join(PATTERN_ACTIONS)}")
    if action_type == "move" and (not to_folder or to_folder not in folders):
        raise Refused("to_folder", "a move needs the id of a folder that the mailbox has")
    if action_type == "categorize" and not category:
        raise Refused("category", "say which category the mail shall have")
    action: Row = {"action_type": action_type}
    if action_type == "move":
        action["to_folder"] = to_folder
    if action_type == "categorize":
        action["category"] = category
    return action
