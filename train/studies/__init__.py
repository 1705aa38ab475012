"""Search and the comparison of tokenizers."""
