"""A web server that says, byte for byte, what a test wants, however wrong, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


def reply(body: bytes = b"", status: int = 200, **headers: object) -> bytes:
    """An answer with the length of its body, if the headers do not say another; None leaves one out."""
    said = {"content_length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items() if value is not None]
    return f"HTTP/1.1 {status} Said\r\n{''.join(lines)}\r\n".encode("latin-1") + body


def to(url: str, status: int = 302) -> bytes:
    """A redirect."""
    return reply(status=status, location=url)


@dataclass
class Raw:
    """Gives `answers` one after the other, the last for ever: bytes, or what does with the socket as it likes."""

    port: int
    scheme: str = "http"
    answers: Sequence[bytes | Callable[[socket.socket, dict[str, str]], None]] = (b"",)
    asked: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/data.csv"

    def stall(self, start: bytes) -> Callable[[socket.socket, dict[str, str]], None]:
        """Say this much, and then nothing until the test is over."""

        def answer(sock: socket.socket, _: dict[str, str]) -> None:
            sock.sendall(start)
            self.over.wait()

        return answer

    def serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:  # the client may have had enough
            request = b""
            while b"\r\n\r\n" not in request:
                piece = sock.recv(65536)
                if not piece:
                    return
                request += piece
            lines = request.decode("latin-1").split("\r\n")
            asked = dict(line.split(": ", 1) for line in lines[1:] if line)
            answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
            self.asked.append({"target": lines[0].split(" ")[1], **{key.lower(): asked[key] for key in asked}})
            if isinstance(answer, bytes):
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1)  # the client closes first, so that no reset takes what it has not read yet
            else:
                answer(sock, self.asked[-1])


def reset(sock: socket.socket, _: dict[str, str]) -> None:
    """Break the connection off with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def serving_raw(tls: ssl.SSLContext | None = None) -> Iterator[Raw]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw = Raw(port=listener.getsockname()[1], scheme="http" if tls is None else "https")

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                    if raw.over.is_set():
                        sock.close()
                        return
                    sock.settimeout(10)
                    threading.Thread(target=connected, args=(sock,), daemon=True).start()
                except OSError:
                    return

        def connected(sock: socket.socket) -> None:
            with contextlib.suppress(OSError):  # a client may not like the certificate
                raw.serve(sock if tls is None else tls.wrap_socket(sock, server_side=True))

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield raw
        finally:
            raw.over.set()
            socket.create_connection(("127.0.0.1", raw.port)).close()
            accepting.join()


def certificate(folder: Path, host: str, days: int = 1) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for `host` that ends in `days` days, and a server's context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, secret = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context
