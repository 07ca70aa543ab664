"""Small archives, made in memory, and damaged."""

import io
import tarfile
import zipfile


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Packs files, a dictionary from their paths to their contents, as a ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes | str], mode: str = "w") -> bytes:
    """Packs files as a TAR, of mode `w:gz` a gzipped one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


def damage(content: bytes, start: int = 100, length: int = 30) -> bytes:
    """Returns a file's content with some of its bytes inverted."""
    end = start + length
    return content[:start] + bytes(255 - byte for byte in content[start:end]) + content[end:]
