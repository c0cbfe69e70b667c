"""Platform jobs: AI and e-mail, for whatever else is built on what has landed."""
