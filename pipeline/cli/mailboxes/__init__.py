"""`headrace mailboxes`: Microsoft 365 mailboxes on the command line."""
