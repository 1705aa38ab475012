"""The report and the cards that are made after a training."""
