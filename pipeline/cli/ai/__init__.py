"""`headrace ai`."""
