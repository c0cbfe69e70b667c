"""Campaigns: plans, the contacts that are taken through them, and what is sent to whom, once."""
