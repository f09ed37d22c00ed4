"""The process that opens one file of PKCS#12 and ends.

Invariant: it can neither run long nor grow nor leave its memory in a file; it writes one line, of what was in
the file or of what went wrong, to its standard output.
"""

import contextlib
import json
import resource
import sys
from pathlib import Path

from pierhead.secrets.templates.pkcs12 import CPU_SECONDS, MEMORY_BYTES


def main() -> None:
    """Reads the password's length, the password and the file from standard input."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with contextlib.suppress(OSError):
        # Where the container has too little memory, this process is the one to go.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    given = sys.stdin.buffer.read()
    length = int.from_bytes(given[:4], "big")
    json.dump(opened(given[4 + length :], given[4 : 4 + length]), sys.stdout)


def opened(packed: bytes, password: bytes) -> dict[str, object]:
    """What is in the file, as PEM, or one word for what went wrong."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 (loaded within the limits)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    try:
        found = pkcs12.load_pkcs12(packed, password or None)
    except ValueError:
        return {"error": "password"}
    except (TypeError, UnsupportedAlgorithm):
        return {"error": "key"}
    keys = []
    if found.key is not None:
        der = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        keys.append(found.key.private_bytes(*der).decode())
    stores = [*([found.cert] if found.cert else []), *found.additional_certs]
    certificates = [store.certificate.public_bytes(Encoding.PEM).decode() for store in stores]
    return {"keys": keys, "certificates": certificates}


if __name__ == "__main__":
    main()
