"""From what a writer asks for to the words that a model writes."""
