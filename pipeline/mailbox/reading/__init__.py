"""What pages, the API and the command line read of mailboxes; nothing is changed by it."""
