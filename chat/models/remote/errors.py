"""What a server of another program did not do, in words for the writer."""


class RemoteError(Exception):
    """A server did not do what it was asked; the message is a sentence for the writer, without an
    address, a key or anything else of the operator's but the server's name."""


class LaterError(RemoteError):
    """As `RemoteError`, and it may go well a moment later.

    Attributes:
        wait_s: How long the server asks to be left alone; None where it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooLongError(RemoteError):
    """The prompt has more tokens than the model reads.

    Attributes:
        tokens, context: How many it has and how many there is room for, as the server counts;
            None where it does not say.
    """

    def __init__(self, message: str, tokens: int | None, context: int | None) -> None:
        super().__init__(message)
        self.tokens, self.context = tokens, context
