"""Stories for other programs: OpenAI's completions API over our engine, `python -m gpt.server`."""
