"""Why an engine does not take a request, or does not end it."""


class EngineBusy(Exception):  # noqa: N818 - a state to wait out, not a fault
    """The queue is full, or one writer's share of it is.

    Attributes:
        ahead: Requests that wait already.
        own: Those of them that are the same writer's.
    """

    def __init__(self, ahead: int, own: int = 0) -> None:
        self.ahead, self.own = ahead, own
        requests = "1 request is" if ahead == 1 else f"{ahead} requests are"
        yours = f" ({own} of the same writer)" if own else ""
        super().__init__(
            f"the model is busy, {requests} waiting already{yours}: try again in a moment"
        )


class EngineClosed(Exception):  # noqa: N818 - nothing went wrong
    """The engine was closed, before or while a request was served."""
