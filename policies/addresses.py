"""Which addresses are the Internet's, and what a name stands for: for whoever is told by others where to connect."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable

Resolve = Callable[[str, int], list[str]]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


def addresses_of(host: str, port: int) -> list[str]:
    """The host's addresses, as the machine's resolver gives them; raises OSError or UnicodeError if it has none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet's hosts, also behind NAT64 (RFC 6052) and 6to4 (RFC 3056)."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour is not None and not is_public(str(ip.sixtofour)):
            return False
        return ip in _UNICAST and ip.is_global
    return ip.is_global and not ip.is_multicast


def looked_up(host: str, port: int, seconds: float, resolve: Resolve = addresses_of) -> list[str]:
    """What the resolver says; in a thread, as nothing else stops it.

    Raises queue.Empty when the time is over, OSError or UnicodeError where there is no address.
    """
    said: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            said.put(resolve(host, port))
        except (OSError, UnicodeError) as error:
            said.put(error)

    threading.Thread(target=ask, daemon=True).start()
    answer = said.get(timeout=max(0, seconds))
    if isinstance(answer, list):
        return answer
    raise answer
