"""The page: its few files, read once. What a request asks for is looked up among them, never on the disk."""

import hashlib
import pathlib

PAGE = pathlib.Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def read_page() -> dict[str, tuple[bytes, str, str]]:
    """Returns the files of the page: a dict from path, as `/page.css`, to `(content, content_type, etag)`."""
    found = {}
    for path in sorted(PAGE.rglob("*")):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found[f"/{path.relative_to(PAGE).as_posix()}"] = (content, _TYPES[path.suffix], etag)
    found["/"] = found.pop("/index.html")
    return found
