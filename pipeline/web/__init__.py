"""The web: admin, connecting accounts, push webhooks and the API, as one ASGI application."""
