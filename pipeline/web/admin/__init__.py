"""The pages of the admin, one module each."""
