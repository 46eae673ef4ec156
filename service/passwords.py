"""Password hashes: scrypt of the standard library, with its parameters kept beside each hash."""

import base64
import hashlib
import hmac
import secrets

# Far below the cost that guards real passwords (N=2**17): this service exists to be logged into by thousands
# of simulated users on two cores. Hashes carry their own parameters, so a change here leaves old ones valid.
COST_N, BLOCK_R, PARALLEL_P = 2**12, 8, 1


def hash_password(password: str) -> str:
    """Hash *password* with a fresh salt: `scrypt$N$r$p$SALT$HASH`, both in base64."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, COST_N, BLOCK_R, PARALLEL_P)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(["scrypt", str(COST_N), str(BLOCK_R), str(PARALLEL_P), *encoded])


def password_matches(password: str, stored: str) -> bool:
    """Say whether *stored*, made by `hash_password`, is a hash of *password*."""
    _, n, r, p, salt, digest = stored.split("$")
    actual = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(actual, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32)
