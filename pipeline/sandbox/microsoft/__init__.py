"""A local Microsoft over HTTP: its identity platform, and the mail part of Graph v1.0.

https://learn.microsoft.com/graph/api/resources/mail-api-overview
"""

#: The one application that is registered, and its secret, which is public on purpose.
MICROSOFT_CLIENT_ID = "5a4db0c5-0000-4000-8000-000000c11e47"
MICROSOFT_CLIENT_SECRET = "sandbox-secret~microsoft"  # noqa: S105
#: The one tenant; everybody's account is in it.
TENANT_ID = "7e4a47aa-0000-4000-8000-000000007e4a"

#: The source of mail in truth, cursors and counts.
MAIL = "microsoft_mail"
#: The API in usage, faults and pushes, and that of sign-in.
GRAPH_API, IDENTITY_API = "microsoft", "microsoft_identity"
