"""How Inkling is installed, and put into an image; by the standard library alone."""
