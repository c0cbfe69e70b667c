"""The fence of users who are being erased: asked by whatever could bring one back."""

from __future__ import annotations

from hashlib import blake2b

from models import Erasure
from pipeline.errors import Permanent
from pipeline.stores import collection


def erasure_id(user_id: str) -> str:
    """Return the id of a user's erasure, which does not name the user."""
    return blake2b(user_id.encode(), digest_size=16).hexdigest()


def under_way(user_id: str) -> bool:
    """Return whether a user is being erased just now."""
    wanted = {"_id": erasure_id(user_id), "status": "erasing"}
    return collection(Erasure).find_one(wanted, {"_id": 1}) is not None


def admit(user_id: str) -> None:
    """Let data of a user be kept; call it before keeping any.

    Of one who was erased, and comes back, it is looked no more for what came late.
    Raises Permanent for a user who is being erased just now.
    """
    collection(Erasure).update_one(
        {"_id": erasure_id(user_id), "status": "erased"},
        {"$set": {"status": "closed"}, "$unset": {"user_id": "", "check_at": ""}},
    )
    if under_way(user_id):
        raise Permanent(f"user {user_id!r} is being erased; come back once that is done")
