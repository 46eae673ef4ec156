"""Certificates for tests: an authority of our own, and what it and others may have signed."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
HERE = "DNS:localhost,IP:127.0.0.1,IP:::1"


@dataclass(frozen=True)
class Certificates:
    """A folder with NAME.pem and NAME.key each for `good`, `expired`, `elsewhere` and `self_signed`."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Return the certificate of the authority, which clients may trust."""
        return self.folder / "authority.pem"

    def server_context(self, name: str) -> ssl.SSLContext:
        """Return the TLS settings of a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the TLS settings of a client that trusts our authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.authority))


class _Maker:
    def __init__(self, folder: Path, openssl: str) -> None:
        self._folder, self._openssl = folder, openssl
        (folder / "request.cnf").write_text("[req]\ndistinguished_name=name\n[name]\n", encoding="ascii")

    def self_signed(self, name: str, *extensions: str) -> None:
        added = [word for extension in extensions for word in ("-addext", extension)]
        self._request(name, "-x509", "-days", "2", *added, "-out", f"{name}.pem")

    def signed(self, name: str, alternative_names: str, days: int) -> None:
        """Let the authority sign; with negative days the certificate has expired."""
        extensions = f"subjectAltName={alternative_names}\nauthorityKeyIdentifier=keyid,issuer\n"
        (self._folder / "extensions.cnf").write_text(extensions, encoding="ascii")
        self._request(name, "-out", f"{name}.csr")
        authority = ["-CA", "authority.pem", "-CAkey", "authority.key", "-extfile", "extensions.cnf"]
        self._run("x509", "-req", "-in", f"{name}.csr", *authority, "-days", str(days), "-out", f"{name}.pem")

    def _request(self, name: str, *arguments: str) -> None:
        key = [*NEW_KEY, "-keyout", f"{name}.key"]
        self._run("req", "-config", "request.cnf", *key, "-subj", f"/CN={name}", *arguments)

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], cwd=self._folder, check=True, capture_output=True)


def make_certificates(folder: Path, openssl: str) -> Certificates:
    """Make all of them in an empty folder with the `openssl` program, in some milliseconds each."""
    maker = _Maker(folder, openssl)
    maker.self_signed("authority", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    maker.self_signed("self_signed", f"subjectAltName={HERE}")
    maker.signed("good", HERE, days=2)
    maker.signed("expired", HERE, days=-1)
    maker.signed("elsewhere", "DNS:elsewhere.example", days=2)
    return Certificates(folder)
