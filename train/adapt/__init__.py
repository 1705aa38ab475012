"""Fine-tuning: the model to go on from, what of it is trained, what it forgets."""
