"""Connections to webhook receivers: never to addresses that only an attacker would have us call.

A factory's receivers are in its own network, so private addresses are fine. Link-local ones (where clouds answer with
their machine's credentials), multicast, unspecified and reserved ones never are. Loopback must be meant: it has to
stand in the URL, since a name of someone else's that leads to loopback is a trick (DNS rebinding). The address that
was checked is the one that is connected to, redirects are not followed, and no proxy of the environment is asked.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(Exception):  # noqa: N818 - it is what happened
    """An address that is not called."""


class GuardedBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = resolve(host, port)
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


def resolve(host: str, port: int) -> str:
    """The first address of `host` that may be called. Raises Refused where one of them may not be, or there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"{host} is not known: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        check(host, address)
    return addresses[0]


def check(host: str, address: str) -> None:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        if host.lower() not in _LOOPBACK_NAMES:
            raise Refused(f"{host} leads to this machine itself ({address}); if that is meant, write 127.0.0.1")
    elif ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        raise Refused(f"{host} leads to {address}, which is not called")
