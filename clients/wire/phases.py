"""Where the time of a request went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Phases:
    """The parts of a request's time in ms, summed over its redirects.

    They are: to look up the name, to connect, to agree on TLS (none of these where the connection is open
    already), to send, to wait for the first byte, and to receive.
    """

    dns_ms: float = 0.0
    connect_ms: float = 0.0
    tls_ms: float = 0.0
    send_ms: float = 0.0
    wait_ms: float = 0.0
    receive_ms: float = 0.0

    def add_opening(self, dns_s: float, connect_s: float, tls_s: float) -> None:
        """Add what it took to open a connection."""
        self.dns_ms += dns_s * 1000
        self.connect_ms += connect_s * 1000
        self.tls_ms += tls_s * 1000

    def add_exchange(self, started_s: float, sent_s: float, first_byte_s: float, ended_s: float) -> None:
        """Add one request and answer, by the points in time between its parts."""
        self.send_ms += (sent_s - started_s) * 1000
        self.wait_ms += (first_byte_s - sent_s) * 1000
        self.receive_ms += (ended_s - first_byte_s) * 1000
