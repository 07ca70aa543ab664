"""What a server is told: where it listens, whom it lets in, and how much it takes on."""

import dataclasses
import ipaddress
import socket

from fer_ensemble.base.cores import count_cores
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import check_settings, setting
from fer_ensemble.data.readers.pictures import MAXIMUM_BYTES, MAXIMUM_PIXELS

TOKEN_VARIABLE = "FER_ENSEMBLE_TOKEN"
LEAST_TOKEN = 16  # characters
NEW_TOKEN = "new"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclasses.dataclass(frozen=True)
class ServeSettings:
    """The settings of a server. Each field's help text, units and range stand beside it.

    Raises:
        UserError: If a value is out of its range, or other machines are let in without a token.
    """

    host: str = setting(
        "127.0.0.1",
        "The address to listen on. Only this machine reaches the default; another, as 0.0.0.0, takes --token.",
    )
    port: int = setting(8048, "The port to listen on; 0 takes a free one.", least=0, most=65535)
    token: str = setting(
        "",
        f"Whoever asks must know it: {LEAST_TOKEN} characters or more, or {NEW_TOKEN} to have one made and shown. "
        f"The environment variable {TOKEN_VARIABLE} gives it without showing it in the list of processes.",
    )
    names: str = setting(
        "", "With another --host: further names, separated by commas, under which people reach this machine."
    )

    # What a request may bring.
    megabytes: float = setting(20.0, "Largest request, in megabytes.", least=0.01, most=MAXIMUM_BYTES / 1e6)
    megapixels: float = setting(
        50.0, "Largest picture, in millions of pixels.", least=0.01, most=MAXIMUM_PIXELS / 1e6
    )
    faces: int = setting(256, "Most faces that one request may bring, or its pictures show.", least=1, most=10_000)

    # What the server takes on.
    waiting: int = setting(256, "Most requests at a time; one more is told to come back.", least=1, most=10_000)
    waiting_megabytes: float = setting(
        256.0, "Most megabytes of requests at a time; one more is told to come back.", least=0.01, most=100_000.0
    )
    connections: int = setting(512, "Most connections at a time.", least=1, most=100_000)
    workers: int = setting(
        0, "Pictures that are searched for faces at the same time; 0: twice as many as there are cores.", least=0,
        most=256,
    )  # fmt: skip
    header_seconds: float = setting(
        10.0, "Seconds in which the headers of a request must have arrived.", least=0.05, most=3600.0
    )
    body_seconds: float = setting(20.0, "Seconds in which the rest must have arrived.", least=0.05, most=3600.0)
    answer_seconds: float = setting(30.0, "Seconds that an answer may take.", least=0.05, most=3600.0)
    batch_milliseconds: float = setting(
        4.0, "How long faces wait for those of other requests, to go through the network together.", least=0.0,
        most=1000.0,
    )  # fmt: skip

    def __post_init__(self):
        check_settings(self)
        if self.token and (len(self.token) < LEAST_TOKEN or not self.token.isascii() or " " in self.token):
            raise UserError(
                f"`token` must have at least {LEAST_TOKEN} characters, ASCII without spaces. Received: "
                f"{len(self.token)} characters. --token={NEW_TOKEN} makes one."
            )
        if not self.is_local and not self.token:
            raise UserError(
                f"`host` {self.host} lets other machines in: that takes a token. Give --token=..., or "
                f"--token={NEW_TOKEN} to have one made, or leave --host out."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        return is_loopback(self.host)

    @property
    def allowed_names(self) -> frozenset[str]:
        """The names that a request may call this server by, beside addresses; a frozenset in small letters."""
        own = [self.host] if self.is_local else [self.host, socket.gethostname()]
        further = [name.strip() for name in self.names.split(",") if name.strip()]
        return frozenset(name.lower().strip("[]") for name in (*LOCAL_NAMES, *own, *further) if name)

    @property
    def most_bytes(self) -> int:
        """Largest request, in bytes."""
        return int(self.megabytes * 1e6)

    @property
    def most_pixels(self) -> int:
        """Largest picture, in pixels."""
        return int(self.megapixels * 1e6)

    @property
    def threads(self) -> int:
        """How many pictures are searched at the same time."""
        return self.workers or 2 * count_cores()


def is_loopback(host: str) -> bool:
    """Returns whether an address or a name means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
