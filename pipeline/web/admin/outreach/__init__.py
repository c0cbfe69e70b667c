"""The pages about outreach."""
