"""How long from ``twistd -n chatsrv`` to the first accepted connection, with an empty data directory.

Run by ``make bench-start``. Prints one figure for each of five starts and their median, in seconds.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_accepted(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return with the first connection that ``port`` accepts."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.002)
    sys.exit(f"the server ended with {process.returncode}")


def start_s() -> float:
    """Seconds that one start takes."""
    port = free_port()
    twistd = Path(sys.executable).with_name("twistd")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHATSRV_")}
    with tempfile.TemporaryDirectory() as directory:
        options = ("--data-dir", directory, "--listen", f"tcp:{port}:interface=127.0.0.1")
        began = time.monotonic()
        process = subprocess.Popen(
            [twistd, "-n", "--pidfile=", "--logfile=/dev/null", "chatsrv", *options], env=environ
        )
        try:
            until_accepted(port, process)
            return time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    figures = []
    for number in range(RUNS):
        figures.append(start_s())
        print(f"start {number + 1}: {figures[-1]:.2f} s", flush=True)
    print(f"start to first accepted connection, median: {statistics.median(figures):.2f} s")
