"""The measurements of `headrace bench mailbox`."""
