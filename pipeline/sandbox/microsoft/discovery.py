"""Where everything is: the documents that a client reads before anything else.

https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
"""

from __future__ import annotations

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.microsoft import TENANT_ID
from pipeline.sandbox.microsoft.errors import TokenRefused

#: MSAL takes no other host, and no http; its requests come here by a client's own mapping.
LOGIN = "https://login.microsoftonline.com"
TENANTS = frozenset(("common", "organizations", TENANT_ID))
_ALIASES = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com"]


def discover(call: Call) -> Reply:
    """The token endpoint is where MSAL expects it; the page is where a browser gets to it."""
    tenant = call.path_values["tenant"]
    if tenant not in TENANTS:
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        raise TokenRefused("invalid_tenant", 90002, text)
    issuer = "{tenantid}" if tenant != TENANT_ID else TENANT_ID
    return Reply.of(
        {
            "token_endpoint": f"{LOGIN}/{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "jwks_uri": f"{LOGIN}/{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{LOGIN}/{issuer}/v2.0",
            "authorization_endpoint": f"{call.base_url}/{tenant}/oauth2/v2.0/authorize",
            "cloudinstance_name": "microsoftonline.com",
            "msgraph_host": "graph.microsoft.com",
        }
    )


def instance(_: Call) -> Reply:
    hosts = {"preferred_network": _ALIASES[0], "preferred_cache": _ALIASES[1], "aliases": _ALIASES}
    endpoint = f"{LOGIN}/common/v2.0/.well-known/openid-configuration"
    return Reply.of(
        {"tenantdiscovery_endpoint": endpoint, "api-version": "1.1", "metadata": [hosts]}
    )
