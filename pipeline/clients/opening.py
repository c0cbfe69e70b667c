"""Which client makes the calls of a source."""

from __future__ import annotations

from pipeline.clients.google import GoogleClient
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.stores import Row

Client = GoogleClient | MicrosoftClient


def client_for(provider: str, user_id: str, source: str) -> Client:
    """Return the client that a sync of `source` needs, as a context manager.

    Raises ReauthRequired if the user must connect, or grant a scope, first.
    """
    client = MicrosoftClient if provider == "microsoft" else GoogleClient
    return client.for_source(user_id, source)


def client_of(connection: Row) -> Client:
    """Return the client of a connection, as a context manager.

    Raises ReauthRequired if its credentials cannot be read.
    """
    return (MicrosoftClient if connection["provider"] == "microsoft" else GoogleClient)(connection)
