"""Who may look and act: sign-in, sessions, roles, and what protects them."""

from pipeline.web.access.principal import Principal, Role, as_role, csrf_token, principal_of

__all__ = ["Principal", "Role", "as_role", "csrf_token", "principal_of"]
