"""How much of direct Triton's throughput the gateway keeps, for small JSON inferences over V2.

Both are loaded in turn, in short alternating rounds of one run, by the same cheap clients over kept
connections, so that the ratio means something on a shared machine.

    python -m benchmarks.v2_json --direct http://127.0.0.1:8000 --gateway http://127.0.0.1:8080 \
        --key "$TIDEGATE_API_KEY" --model vec64 --input IN0 --shape 1 64
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import uvloop


@dataclass(frozen=True)
class Round:
    """One measured round.

    Attributes:
        rate: answers per second.
        latencies: seconds per request, sorted.
    """

    rate: float
    latencies: list[float]

    def percentile(self, share: float) -> float:
        """Return the latency that `share` of the requests did not exceed, in seconds."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def request_bytes(base_url: str, arguments: argparse.Namespace, key: str | None) -> bytes:
    """Return one whole HTTP request."""
    tensor = {
        "name": arguments.input,
        "shape": arguments.shape,
        "datatype": "FP32",
        "data": [round(0.001 * i, 3) for i in range(prod(arguments.shape))],
    }
    body = json.dumps({"inputs": [tensor]}).encode()
    head = [
        f"POST /v2/models/{arguments.model}/infer HTTP/1.1",
        f"Host: {urlsplit(base_url).netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if key:
        head.append(f"Authorization: Bearer {key}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Client(asyncio.Protocol):
    """Sends the request again and again over one connection until the clock says stop.

    Streams would cost the load generator several times as much as this, on the cores it shares.
    """

    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self._request, self._until, self._latencies = request, until, latencies
        self._received = bytearray()
        self._begin = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Send the next request once the answer is complete."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._finish(head.splitlines()[0].decode())
        elif len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            self._latencies.append(perf_counter() - self._begin)
            self._received.clear()
            self._finish("") if perf_counter() >= self._until else self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        """End, if the server closed."""
        self._finish("closed the connection")

    def _send(self) -> None:
        self._begin = perf_counter()
        self._transport.write(self._request)

    def _finish(self, problem: str) -> None:
        if self.done.done():
            return
        if problem:
            self.done.set_exception(SystemExit(f"The server answered {problem}. Check key and model."))
        else:
            self.done.set_result(None)
        self._transport.close()


async def load(base_url: str, request: bytes, connections: int, seconds: float) -> Round:
    """Load one server for some seconds."""
    parts = urlsplit(base_url)
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    begin = perf_counter()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Client(request, begin + seconds, latencies),
            parts.hostname or "127.0.0.1",
            parts.port or 80,
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return Round(len(latencies) / (perf_counter() - begin), sorted(latencies))


async def compare(arguments: argparse.Namespace) -> None:
    """Alternate between the two servers and print rates, latencies and the ratio."""
    servers = {
        "direct": (arguments.direct, request_bytes(arguments.direct, arguments, None)),
        "gateway": (arguments.gateway, request_bytes(arguments.gateway, arguments, arguments.key)),
    }
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    for turn in range(arguments.rounds + 1):
        for name, (url, request) in servers.items():
            measured = await load(url, request, arguments.connections, arguments.seconds)
            if turn:  # the first round warms up
                rounds[name].append(measured)
    for name, measured_rounds in rounds.items():
        rate = statistics.median(r.rate for r in measured_rounds)
        p50, p99 = (statistics.median(r.percentile(q) for r in measured_rounds) * 1e3 for q in (0.5, 0.99))
        print(f"{name:8} {rate:8.0f} requests/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    ratios = [g.rate / d.rate for g, d in zip(rounds["gateway"], rounds["direct"], strict=True)]
    print(f"ratio    {statistics.median(ratios):8.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--direct", default="http://127.0.0.1:8000", help="Triton's base URL")
    parser.add_argument("--gateway", default="http://127.0.0.1:8080", help="the gateway's base URL")
    parser.add_argument("--key", help="API key for the gateway")
    parser.add_argument("--model", required=True, help="a model with one FP32 input")
    parser.add_argument("--input", required=True, help="the input's name")
    parser.add_argument("--shape", type=int, nargs="+", default=[1, 64], help="the input's shape")
    parser.add_argument("--connections", type=int, default=32, help="kept connections")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round, at most 60")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds, at most 50")
    arguments = parser.parse_args()
    arguments.seconds, arguments.rounds = min(arguments.seconds, 60.0), min(arguments.rounds, 50)
    uvloop.run(compare(arguments))


if __name__ == "__main__":
    main()
