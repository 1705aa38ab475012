"""What a model writes, measured."""
