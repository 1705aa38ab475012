"""Training from the page: a text is brought, a process of its own trains on it."""
