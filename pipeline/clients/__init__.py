"""Access to providers: credentials, calls, and their errors in our words."""
