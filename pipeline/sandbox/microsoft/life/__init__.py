"""The people of the sandbox's Microsoft mailboxes: their mail, and what they do with it."""
