"""What a job is in Redis: its layout, the scripts that move it, and who runs them."""
