"""The options of `python -m embedded`; each is also read from the environment, except the models to load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelRepository = Annotated[
    Path, typer.Option(envvar="TIDEGATE_MODEL_REPOSITORY", help="Directory of models in Triton's layout.")
]
StateDir = Annotated[
    Path, typer.Option(envvar="TIDEGATE_STATE_DIR", help="For assembled backends and the admin secret.")
]
LoadModel = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME|*", help="Load a model at start; may be repeated. '*' loads all."),
]
Host = Annotated[
    str, typer.Option(envvar="TIDEGATE_TRITON_HOST", help="Address of every port; keep it on loopback.")
]
HttpPort = Annotated[int, typer.Option(envvar="TIDEGATE_TRITON_HTTP_PORT", help="Triton's REST API.")]
GrpcPort = Annotated[int, typer.Option(envvar="TIDEGATE_TRITON_GRPC_PORT", help="Triton's gRPC API.")]
MetricsPort = Annotated[
    int, typer.Option(envvar="TIDEGATE_TRITON_METRICS_PORT", help="Triton's own metrics.")
]
SupervisorPort = Annotated[
    int, typer.Option(envvar="TIDEGATE_SUPERVISOR_PORT", help="The supervisor's metrics.")
]
AdminSecretFile = Annotated[
    Path | None,
    typer.Option(
        envvar="TIDEGATE_TRITON_ADMIN_SECRET_FILE",
        help="File with the secret of Triton's restricted APIs; TIDEGATE_TRITON_ADMIN_SECRET holds the "
        "secret itself. Without either, one is made in the state directory.",
    ),
]
ExitTimeout = Annotated[
    int,
    typer.Option(
        envvar="TIDEGATE_TRITON_EXIT_TIMEOUT", min=1, help="Seconds for requests in flight at the end."
    ),
]
StartTimeout = Annotated[
    float,
    typer.Option(
        envvar="TIDEGATE_TRITON_START_TIMEOUT", help="Seconds until Triton must answer, loading included."
    ),
]
HangTimeout = Annotated[
    float,
    typer.Option(
        envvar="TIDEGATE_TRITON_HANG_TIMEOUT", min=1, help="Seconds of silence until it is restarted."
    ),
]
HttpThreads = Annotated[
    int, typer.Option(envvar="TIDEGATE_TRITON_HTTP_THREADS", min=2, help="Triton's HTTP threads.")
]
ShmBytes = Annotated[
    int, typer.Option(envvar="TIDEGATE_TRITON_SHM_BYTES", help="Shared memory a model process starts with.")
]
ResponseCacheBytes = Annotated[
    int,
    typer.Option(
        envvar="TIDEGATE_TRITON_RESPONSE_CACHE_BYTES", min=0, help="Size of the response cache; 0 for none."
    ),
]
LogVerbose = Annotated[
    int, typer.Option(envvar="TIDEGATE_TRITON_LOG_VERBOSE", min=0, help="Triton's verbosity.")
]
LogLevel = Annotated[str, typer.Option(envvar="TIDEGATE_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")]
