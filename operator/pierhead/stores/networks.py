"""Which addresses a source may be at.

Invariant: an address is judged as what it reaches: one that wraps an IPv4 address is that address.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from pierhead.engine.outcome import Denied, ReconcileError, Transient

Address = tuple[int, str, int]
"""Address family, address and port of one place a host can be reached at."""

Resolve = Callable[[str, int], list[Address]]
"""Looks up a host; blocks. Raises OSError."""

_NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[Address]:
    """The system's look-up. Raises OSError; UnicodeError for a text that is no host's name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(where[0]), int(where[1])) for family, _, _, _, where in found]


class Networks:
    """The networks that no source may be in."""

    def __init__(self, refused: Iterable[str] = (), *, resolve: Resolve = resolve) -> None:
        """`refused` are CIDR ranges. Raises ValueError for a text that is none."""
        self._refused = tuple(ip_network(text) for text in refused)
        self._resolve = resolve

    def places(self, host: str, port: int) -> list[Address]:
        """Where a host is reached; blocks.

        Raises Transient when the name is unknown, Denied when one of its addresses is refused: which of them
        answers is not ours to choose.
        """
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise _unknown() from None
        if not found:
            raise _unknown()
        if any(self._is_refused(address) for _, address, _ in found):
            raise Denied(
                "is at an address that no source may have (setting refused_source_networks)",
                reason="SourceAddressRefused",
            )
        return found

    def _is_refused(self, text: str) -> bool:
        address = _reached(text)
        return any(address in network for network in self._refused)


def _unknown() -> ReconcileError:
    return Transient("has a host name that does not resolve", reason="SourceUnreachable")


def _reached(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
