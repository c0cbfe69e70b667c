"""Where the API is mounted."""

from __future__ import annotations

from typing import Any

from starlette.routing import Match, Mount
from starlette.types import Scope


class ApiMount(Mount):
    """A mount that takes whatever is under its path.

    Starlette's own goes by an expression that stops at a line feed, so that a path
    which holds one would be cut in the wrong place.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the request is for what is mounted here."""
        root: str = scope.get("root_path", "")
        if scope["type"] != "http" or not scope["path"].startswith(f"{root}{self.path}/"):
            return Match.NONE, {}
        child: dict[str, Any] = {
            "path_params": dict(scope.get("path_params", {})),
            "app_root_path": scope.get("app_root_path", root),
            "root_path": root + self.path,
            "endpoint": self.app,
        }
        return Match.FULL, child
