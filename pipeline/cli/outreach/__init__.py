"""`headrace outreach`: campaigns, contacts, senders, what is sent, and what came of it."""
