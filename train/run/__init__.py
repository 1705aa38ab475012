"""A run folder: what a training leaves in it."""
