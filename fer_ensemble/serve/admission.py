"""Back-pressure: how many requests, and how many bytes of them, the server holds at a time."""

from fer_ensemble.serve.refusals import busy


class Admission:
    """Counts what is being worked on. Used from the event loop alone, so without a lock.

    Args:
        most_requests: Requests that are held at a time.
        most_bytes: Bytes of their bodies, together.

    Example:

    >>> admission = Admission(most_requests=1, most_bytes=100)
    >>> with admission.enter() as ticket:
    ...     admission.enter()
    Traceback (most recent call last):
    ...
    fer_ensemble.serve.refusals.Refused: Expected fewer requests at a time. Try again in 1 second.
    >>> admission.requests
    0
    """

    def __init__(self, most_requests: int, most_bytes: int):
        self._most_requests, self._most_bytes = most_requests, most_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self) -> "Ticket":
        """Returns a `Ticket`; raises `Refused` where the house is full."""
        if self.requests >= self._most_requests:
            raise busy()
        self.requests += 1
        return Ticket(self)

    def _grow(self, count):
        if self.bytes + count > self._most_bytes:
            raise busy()
        self.bytes += count


class Ticket:
    """One request's place: it is given back when the `with` block has ended, and all work for it, too.

    Work goes on in its thread after a client was told to come back: until it ends, it takes room.
    """

    def __init__(self, admission: Admission):
        self._admission = admission
        self._bytes = 0
        self._holders = 0

    def __enter__(self) -> "Ticket":
        self._holders += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._holders -= 1
        if not self._holders:
            self._admission.requests -= 1
            self._admission.bytes -= self._bytes

    def grow(self, count: int) -> None:
        """Takes room for so many bytes more; raises `Refused` where there is none."""
        self._admission._grow(count)
        self._bytes += count
