"""Chaos over outreach: workers killed between side effects, events doubled, late and out of order,
providers that fail, clocks that are put forward and back, pauses and stops; then everybody must
have got each message once, and nobody one that they must not have got."""
