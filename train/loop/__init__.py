"""What one training step needs."""
