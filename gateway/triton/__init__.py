"""Everything that knows how Triton is spoken to.

`upstream` moves HTTP/1.1 messages over pooled connections, `wire` rebuilds inferences as binary V2 and
reads the answers back with every check, `refusals` turns Triton's own errors into the gateway's,
`inference` and `repository` are the two clients the data plane and the control plane use, `clients` builds
them.
"""

from gateway.triton.clients import TritonClients, triton_clients
from gateway.triton.connection import UpstreamResponse
from gateway.triton.inference import TritonInference
from gateway.triton.repository import IndexEntry, TritonRepository
from gateway.triton.upstream import Upstream

__all__ = [
    "IndexEntry",
    "TritonClients",
    "TritonInference",
    "TritonRepository",
    "Upstream",
    "UpstreamResponse",
    "triton_clients",
]
