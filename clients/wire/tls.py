"""TLS between the bytes of a connection and those of its protocol, in memory and without any I/O."""

from __future__ import annotations

import ssl
from functools import cache

from clients.wire.errors import CertificateInvalid, TlsFailed

_READ_BYTES = 64 * 1024


@cache
def default_context(*, insecure: bool) -> ssl.SSLContext:
    """Return the TLS settings all connections share; *insecure*: take any certificate."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsCodec:
    """Encrypt and decrypt the bytes of one connection."""

    __slots__ = ("_incoming", "_outgoing", "_session", "is_closed")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.is_closed = False  # by a word of the server's, not just by the end of the connection

    def handshake(self, received: bytes) -> tuple[bool, bytes]:
        """Go on with the handshake: whether it is done, and the bytes to send.

        Raises CertificateInvalid, TlsFailed.
        """
        self._incoming.write(received)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False, self._outgoing.read()
        except ssl.SSLCertVerificationError as error:
            raise CertificateInvalid(error.verify_message) from None
        except (ssl.SSLError, ValueError) as error:
            raise TlsFailed(_reason(error)) from None
        return True, self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """Return the bytes to send, with whatever else the protocol has to say."""
        self._session.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """Return what was sent, which may be nothing yet; raises TlsFailed."""
        self._incoming.write(data)
        pieces = []
        try:
            while piece := self._session.read(_READ_BYTES):
                pieces.append(piece)
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_closed = True
        except ssl.SSLError as error:
            raise TlsFailed(_reason(error)) from None
        return b"".join(pieces)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__).lower().replace("_", " ")
