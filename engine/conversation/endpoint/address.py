"""Where an endpoint is: one spelling of its address, and whether it is on this machine."""

import ipaddress
import socket
from urllib.parse import urlsplit

import psutil

from engine.core.errors import UserError

_EXAMPLE = "Write it as http://127.0.0.1:11434/v1."
_OPERATION = "/chat/completions"


def base_address(typed: str) -> str:
    """``typed`` as the address that the operations are appended to: ``http://127.0.0.1:11434/v1``.

    Raises:
        UserError: it is no http or https address, or carries a password, which would be stored with it.
    """
    text = typed.strip()
    if any(ord(sign) <= 32 or ord(sign) == 127 for sign in text):
        raise UserError("the endpoint's address holds a space or a control character", remedy=_EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UserError("the endpoint's address is not valid", remedy=_EXAMPLE) from error
    if parts.scheme not in ("http", "https") or not host:
        raise UserError("the endpoint's address must begin with http:// or https:// and name a host", remedy=_EXAMPLE)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UserError(
            "the endpoint's address must hold no user name, password, question mark or #",
            remedy="A key belongs into the environment variable COHORT_STUDIO_ENDPOINT_KEY, where it is not stored.",
        )
    path = parts.path.rstrip("/").removesuffix(_OPERATION) or "/v1"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"


def host_of(address: str) -> str:
    """The host that ``address`` names, without its port."""
    return urlsplit(address).hostname or ""


def is_on_this_machine(address: str) -> bool:
    """Whether what is sent to ``address`` stays on this machine: a loopback address, or one of the machine's own.

    Names are not looked up (an answer may change, and asking tells a name server): only ``localhost`` and this
    machine's own name count, every other name is taken for another machine.
    """
    host = host_of(address).rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower():
        return True
    try:
        wanted = _plain(host)
    except ValueError:
        return False
    return wanted.is_loopback or wanted.is_unspecified or wanted in _own_addresses()


def _own_addresses() -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    families = (socket.AF_INET, socket.AF_INET6)
    listed = (entry for entries in psutil.net_if_addrs().values() for entry in entries if entry.family in families)
    return {_plain(entry.address) for entry in listed}


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address without the zone of a link-local one; IPv4 written as IPv6 is IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
