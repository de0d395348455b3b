"""Which addresses may be called: whatever is on the internet, and nothing that is inside unless the operator says so.

Source: https://www.iana.org/assignments/iana-ipv6-special-registry/ and its sister for IPv4
"""

import re
import socket
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from yarl import URL

from botyard.errors import InputError
from botyard.outbound_http.errors import Busy, Refused
from botyard.outbound_http.lookups import LookUp, LookUps

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LONGEST_URL: Final = 2000
_LONGEST_LOOK_UP: Final = 5.0
_LOOK_UPS: Final = 16
_LOOK_UPS_OF_ONE: Final = 2
_LOWEST_PORT: Final = 1024
_KNOWN_PORTS: Final = (80, 443)
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_BRACKET: Final = re.compile(r"[^/]*//[^/?#]*\[")
# How browsers tell a name from an IPv4 address in an old form: https://url.spec.whatwg.org/#ends-in-a-number-checker
_NUMBER_LAST: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_ENTRY: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?(?P<mask>/\d{1,3})?")
# Global by their numbers, but they lead elsewhere: relays, tunnels, translators of a site's own, what is not given out.
_CLOSED: Final = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
    )
)  # fmt: skip
# What a resolver makes of IPv4 addresses where there is only IPv6.
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator opens although it is inside (``OUTBOUND_ALLOWED``).

    Args:
        hosts: names, each with a port, or none for all of its ports.
        networks: networks, likewise.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    @classmethod
    def of(cls, text: str | None) -> "Allowed":
        """As the setting is written: names, addresses and networks, separated by commas, each perhaps with a port.

        Raises:
            InputError: one of them is none of these.
        """
        hosts, networks = set(), []
        for entry in filter(None, (word.strip() for word in (text or "").split(","))):
            host, port = _entry(entry)
            network = _network(host)
            if network is not None:
                networks.append((network, port))
            elif _NAME.fullmatch(host) and not _NUMBER_LAST.fullmatch(host):
                hosts.add((host.lower().rstrip("."), port))
            else:
                problem = f"{entry!r} is no name, no address and no network."
                raise InputError(
                    "OUTBOUND_ALLOWED", problem, "Write it as hooks.internal, 10.0.0.5:8080 or 10.0.0.0/8."
                )
        return cls(frozenset(hosts), tuple(networks))

    def names(self, target: "Target") -> bool:
        """Whether it opens this host by its name."""
        name = target.host.lower().rstrip(".")
        return (name, None) in self.hosts or (name, target.port) in self.hosts

    def holds(self, address: Address, port: int) -> bool:
        """Whether it opens this address."""
        return any(
            address in network for network, only in self.networks if only in (None, port)
        )  # an address of the other family is in no network


def _entry(entry: str) -> tuple[str, int | None]:
    """Host and port; IPv6 without brackets has no port."""
    if entry.count(":") > 1 and not entry.startswith("["):
        return entry, None
    found = _ENTRY.fullmatch(entry)
    if found is None:
        return entry, None
    host = (found["six"] or found["host"]) + (found["mask"] or "")
    return host, int(found["port"]) if found["port"] else None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request would go.

    Args:
        url: as it is requested, read once: who checks and who calls must not read it differently.
        host: its name or address, as it is looked up.
        port: its port.
        address: the address itself, if there is no name.
    """

    url: URL
    host: str
    port: int
    address: Address | None


def read(url: str, field: str = "url") -> Target:
    """Take an address apart.

    Raises:
        Refused: it is none, or in a form that others may read differently.
    """
    if len(url) > _LONGEST_URL or _UNFIT.search(url):
        raise Refused(
            field, "is longer than 2000 characters, or has blanks, backslashes or what is no character in it."
        )
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except (ValueError, TypeError, UnicodeError):
        host, port = None, None
    if not host or not port or parsed.scheme not in ("http", "https"):
        raise Refused(field, "is no address.", "Write it as https://hooks.example.org/telegram.")
    if parsed.user is not None or parsed.password is not None:
        raise Refused(field, "contains a user name or a password.", "Check the signature of what is sent instead.")
    address = _literal(host, field)
    if address is None and _BRACKET.match(url):
        _no_address(field)
    return Target(parsed.with_fragment(None), host, port, address)


def _literal(host: str, field: str) -> Address | None:
    """The address that a host is; none if it is a name."""
    try:
        return ip_address(host) if "%" not in host else _no_address(field)
    except ValueError:
        if ":" in host or _NUMBER_LAST.fullmatch(host) or not _NAME.fullmatch(host):
            _no_address(field)
        return None


def _no_address(field: str) -> Address:
    raise Refused(field, "has a host that is neither a name nor an address in its usual form.")


def is_open(address: Address) -> bool:
    """Whether an address is on the internet, and stays there: none that leads back inside by another way."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_open(inner)
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return False
    closed = any(address.version == network.version and address in network for network in _CLOSED)
    return address.is_global and not (closed or address.is_multicast or address.is_reserved or address.is_link_local)


def judge(target: Target, addresses: Sequence[str], allowed: Allowed, *, field: str = "url") -> None:
    """Go on only if every one of these addresses may be called as this target wants it.

    `http` and ports below 1024 are for what the operator has opened, but for 80 and 443.

    Raises:
        Refused: one of them may not.
    """
    found = [ip_address(address.partition("%")[0]) for address in addresses]
    named = allowed.names(target)
    inside = [address for address in found if not (named or _holds(allowed, address, target.port))]
    if not found or any(not is_open(address) for address in inside):
        raise Refused(
            field, "leads to an address that is not on the internet.", "The operator may open it: OUTBOUND_ALLOWED."
        )
    if not inside:
        return
    if target.url.scheme != "https":
        raise Refused(field, "must begin with https://.")
    if target.port < _LOWEST_PORT and target.port not in _KNOWN_PORTS:
        raise Refused(field, f"has port {target.port}.", "Use 443, or one from 1024 on.")


def _holds(allowed: Allowed, address: Address, port: int) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return allowed.holds(mapped or address, port)


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine resolves it.

    Raises:
        OSError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host} is no name") from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@lru_cache(maxsize=1)
def _lookups() -> LookUps:
    return LookUps(_LOOK_UPS, _LOOK_UPS_OF_ONE)


def check_address(
    url: str, allowed: Allowed, look: LookUp = look_up, *, field: str = "url", whose: str | None = None
) -> None:
    """Say at once what is wrong with an address that somebody gives us to be called later; then it is checked anew.

    Args:
        url: the address.
        allowed: what is open although it is inside.
        look: gives the addresses of a name.
        field: what the giver calls it.
        whose: for whom it is looked up: each has only a few look-ups at once; none: counted by the name.

    Raises:
        Refused: it is none, may not be called, or its name is not known.
        Busy: too many names are being looked up.
    """
    target = read(url, field)
    if target.address is not None:
        judge(target, [str(target.address)], allowed, field=field)
        return
    found = _lookups().begin(whose or target.host, look, target.host, target.port)
    if found is None:
        raise Busy
    try:
        addresses = found.result(_LONGEST_LOOK_UP)
    except (OSError, NotInTime):
        if found.cancel():
            # It never began: that says nothing of the name.
            raise Busy from None
        raise Refused(field, f"has a name that cannot be found: {target.host}.", "Check how it is written.") from None
    judge(target, addresses, allowed, field=field)
