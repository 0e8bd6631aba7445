"""Hosts of their own on one machine: network namespaces, each with a cable to this one. Needs root and iproute2.

A process in a namespace reaches this machine at ``Network.address`` and nothing else; it has no loopback in common
with the others.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

# For measurements between networks (RFC 2544, appendix C.2.2): nobody's addresses.
_RANGE = "198.18"


def why_not() -> str:
    """Why there can be no namespaces here; '' when there can."""
    if shutil.which("ip", path=_PATH) is None:
        return "the program ip (Debian: iproute2) is not installed"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Network(1):
            return ""
    except NoNetwork as error:
        return f"this machine does not permit network namespaces: {error}"


class NoNetwork(RuntimeError):
    """A namespace or a cable could not be made; the message is what ``ip`` said."""


class Network:
    """``hosts`` namespaces. A context manager; at its end they are gone, with the cables."""

    def __init__(self, hosts: int) -> None:
        # Runs at the same time must not meet.
        self._mark = f"hub{os.getpid() % 100_000}"
        self._second = 2 * (os.getpid() % 100)
        self.names = [f"{self._mark}-{number}" for number in range(hosts)]
        self.address = self._address(0, 1)
        """Of this machine, as all hosts see it."""
        self.range = f"{_RANGE}.0.0/15"

    def __enter__(self) -> Self:
        try:
            for number, name in enumerate(self.names):
                self._make(number, name)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def command(self, host: int) -> list[str]:
        """What to put in front of a command so that it runs on that host."""
        return [_ip(), "netns", "exec", self.names[host]]

    def remove(self) -> None:
        for number, name in enumerate(self.names):
            if Path("/run/netns", name).exists():
                # The cable by itself: a namespace goes a moment later than ``ip`` says so.
                subprocess.run([_ip(), "link", "del", self._near(number)], capture_output=True, check=False)
                subprocess.run([_ip(), "netns", "del", name], capture_output=True, check=False)

    def _make(self, number: int, name: str) -> None:
        near, far = self._near(number), f"{self._mark}f{number}"
        _do("netns", "add", name)
        _do("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _do("address", "add", f"{self._address(number, 1)}/30", "dev", near)
        _do("link", "set", near, "up")
        inside = ("-n", name)
        _do(*inside, "address", "add", f"{self._address(number, 2)}/30", "dev", far)
        _do(*inside, "link", "set", far, "up")
        _do(*inside, "link", "set", "lo", "up")
        _do(*inside, "route", "add", "default", "via", self._address(number, 1))

    def _near(self, number: int) -> str:
        return f"{self._mark}n{number}"

    def _address(self, number: int, end: int) -> str:
        return f"{_RANGE}.{self._second + number // 64}.{4 * (number % 64) + end}"


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _ip() -> str:
    return shutil.which("ip", path=_PATH) or "ip"


def _do(*arguments: str) -> None:
    done = subprocess.run([_ip(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNetwork(f"ip {' '.join(arguments)}: {done.stderr.strip()[:300]}")
