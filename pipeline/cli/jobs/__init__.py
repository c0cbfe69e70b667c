"""`headrace jobs`: find jobs, see what became of them, and act on one."""
