"""Pure text: sentences, stop strings, repetition, memorization; tokens into text that may be
shown."""
