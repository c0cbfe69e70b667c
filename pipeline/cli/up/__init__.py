"""`headrace up`: everything on one machine, in the foreground, with a view of it."""
