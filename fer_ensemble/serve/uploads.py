"""The body of a request: read into memory within its limits, and taken apart.

Nothing of it is ever written to a disk, so what a web framework would do with a large form is not used here.
"""

import asyncio
import dataclasses
import logging
import time

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from fer_ensemble.serve.admission import Ticket
from fer_ensemble.serve.refusals import Refused

# It would tell, of a damaged form, which byte came.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

MOST_PARTS = 1000  # of one form
STOPPING_SECONDS = 0.5  # a body that arrives more slowly does not hold up the end of the server


@dataclasses.dataclass
class Upload:
    """One file that was sent.

    Attributes:
        content: The bytes.
        name: What the sender calls it; "" without a name. Only ever given back, never opened.
        content_type: As sent, without parameters; "" where none was.
        is_body: Whether it is the whole body, and no part of a form.
    """

    content: bytes
    name: str = ""
    content_type: str = ""
    is_body: bool = False


class BodyReader:
    """Reads bodies within the limits on bytes and time.

    Args:
        most_bytes: Largest body.
        seconds: In which it must have arrived.
    """

    def __init__(self, most_bytes: int, seconds: float):
        self._most_bytes, self._seconds = most_bytes, seconds
        self.stopping = asyncio.Event()

    async def read(self, request: Request, ticket: Ticket) -> bytes:
        """Returns the body.

        Args:
            request: A `starlette.requests.Request`.
            ticket: The request's `Ticket`, on which the bytes are counted while they arrive.

        Raises:
            Refused: If it is too large or too slow, breaks off, or the server has no room for it.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._most_bytes:
            raise self._too_large(f"{int(declared):,} bytes")
        reading = asyncio.ensure_future(self._read(request, ticket))
        stopping = asyncio.ensure_future(self.stopping.wait())
        end = time.monotonic() + self._seconds
        try:
            await asyncio.wait({reading, stopping}, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                left = min(STOPPING_SECONDS, end - time.monotonic())
                await asyncio.wait({reading}, timeout=max(0, left))
            if not reading.done():
                raise Refused(408, f"Expected the whole request within {self._seconds:g} seconds.")
            return reading.result()
        finally:
            reading.cancel()
            stopping.cancel()

    async def _read(self, request, ticket):
        pieces, size = [], 0
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "Expected a whole request. It broke off.")
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._most_bytes:
                raise self._too_large("more")
            ticket.grow(len(piece))
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    def _too_large(self, received):
        return Refused(
            413, f"Expected a request of at most {self._most_bytes:,} bytes. Received: {received}. Send a smaller "
                 "picture, or start the server with a larger --megabytes."
        )  # fmt: skip


def parse_uploads(body: bytes, content_type: str) -> list[Upload]:
    """Returns the files in a body: the parts of a form, or the body itself.

    Args:
        body: Bytes of the request.
        content_type: Its `Content-Type`, or "".

    Returns:
        List of `Upload`, not empty.

    Raises:
        Refused: If there is none, or the form is damaged.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        if not body:
            raise Refused(400, "Expected a picture: the bytes of a file, or a form with files. Received: nothing.")
        if kind.startswith((b"text/", b"application/json", b"multipart/")):
            raise Refused(415, "Expected a picture: the bytes of a file, or a form with files "
                               f"(multipart/form-data). Received: {kind[:60].decode('latin-1')}.")  # fmt: skip
        return [Upload(body, content_type=kind.decode("latin-1"), is_body=True)]
    parts = _Parts()
    try:
        boundary = options[b"boundary"]
        parser = MultipartParser(boundary, parts.callbacks)
        parser.write(body)
        parser.finalize()
    except (KeyError, ValueError, FormParserError) as error:
        raise Refused(
            400, "Expected a form with files (multipart/form-data). It is damaged, or breaks off."
        ) from error
    if not parts.ended:
        raise Refused(400, "Expected a form with files (multipart/form-data). It breaks off.")
    if not parts.uploads:
        raise Refused(400, "Expected a form with at least one file. Received: none.")
    return parts.uploads


class _Parts:
    """What the parser finds, collected."""

    def __init__(self):
        self.uploads = []
        self.ended = False
        self._field, self._value, self._headers, self._content = b"", b"", {}, []
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        self.callbacks = {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self):
        if len(self.uploads) >= MOST_PARTS:
            raise Refused(413, f"Expected at most {MOST_PARTS:,} parts of a form. Received: more.")
        self._headers, self._content = {}, []

    def _header_field(self, data, start, end):
        self._field += data[start:end]

    def _header_value(self, data, start, end):
        self._value += data[start:end]

    def _header_end(self):
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _part_data(self, data, start, end):
        self._content.append(data[start:end])

    def _part_end(self):
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        kind, _ = parse_options_header(self._headers.get(b"content-type", b""))
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        self.uploads.append(Upload(b"".join(self._content), name, kind.decode("latin-1")))

    def _end(self):
        self.ended = True
