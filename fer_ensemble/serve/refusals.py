"""How the server says no: a status and one sentence."""

BUSY_SECONDS = 1  # after which a client that was turned away may come back


class Refused(Exception):
    """A request that is not answered; the client can mend it, or come back later.

    Args:
        status: The HTTP status, 400 to 503.
        message: One or two sentences: what was expected, what came, what to do.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the status, a dict of strings."""
        if self.status == 503:
            return {"Retry-After": str(BUSY_SECONDS)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


def busy() -> Refused:
    """Returns the refusal of a server that has as much to do as it takes on."""
    return Refused(503, f"Expected fewer requests at a time. Try again in {BUSY_SECONDS} second.")
