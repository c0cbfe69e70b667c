"""The pages about Microsoft 365 mailboxes."""
