"""What is said where a wish cannot be met."""


class RefusedError(Exception):
    """The wish cannot be met; the message says why and what would do. The story stays as it was."""
