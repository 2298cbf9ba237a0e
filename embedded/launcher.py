"""From settings to a command line: everything a Triton on this machine needs in order to start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedded.admin_secret import ADMIN_HEADER, admin_secret
from embedded.backend_directory import assemble
from embedded.config import TritonConfig
from embedded.flags import Flag, known_flags, select
from embedded.libpython import find_libpython
from embedded.shared_memory import RegionOwner
from embedded.wheel import TritonWheel, check_numpy, find_wheel

# What a client has no business with. The gateway opens them with the secret; everybody else gets a 403.
_RESTRICTED_HTTP = ("model-repository", "shared-memory", "model-config", "statistics", "trace", "logging")
_RESTRICTED_GRPC = _RESTRICTED_HTTP


@dataclass(frozen=True)
class Installation:
    """A prepared Triton: everything about it that stays the same from start to start.

    Attributes:
        config: the settings.
        wheel: the installed server.
        backends: the assembled backend directory.
        secret: value of the admin header.
        flags: the flags this server knows.
    """

    config: TritonConfig
    wheel: TritonWheel
    backends: Path
    secret: str
    flags: frozenset[str]

    def arguments(self, owner: RegionOwner, load_models: tuple[str, ...]) -> list[str]:
        """The command that starts a server.

        Args:
            owner: whom its shared memory is named after.
            load_models: models to load while starting.

        Raises:
            UnsupportedServerError: the server lacks a flag without which it must not run.
        """
        return [str(self.wheel.server), *select(self._flags(owner, load_models), self.flags)]

    def environment(self) -> dict[str, str]:
        """The environment of the server and of its model processes."""
        # The stub ignores PYTHONPATH and VIRTUAL_ENV; it takes the interpreter's environment, and so its
        # packages, from the first python3 on PATH.
        interpreter = Path(sys.executable).parent
        libraries = [str(self.backends / "lib"), str(self.wheel.libraries)]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
        return inherited | {
            # ONNX Runtime 1.29 and newer otherwise report every session to their maker.
            "ORT_DISABLE_TELEMETRY": "1",
            "PATH": os.pathsep.join([str(interpreter), os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(
                [*libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH", "")])]
            ),
        }

    def _flags(self, owner: RegionOwner, load_models: tuple[str, ...]) -> Iterator[Flag]:
        yield from self._repository_flags(load_models)
        yield from self._network_flags()
        yield from self._backend_flags(owner)
        yield Flag("exit-timeout-secs", str(self.config.exit_timeout_seconds))
        yield Flag("log-verbose", str(self.config.log_verbose))

    def _repository_flags(self, load_models: tuple[str, ...]) -> Iterator[Flag]:
        yield Flag("model-repository", str(self.config.model_repository.resolve()))
        yield Flag("model-control-mode", "explicit", required=True)
        for model in load_models:
            yield Flag("load-model", model)
        # One bad model must neither end the server nor make it report not ready for good.
        yield Flag("exit-on-error", "false")
        yield Flag("strict-readiness", "false")
        # Auto-completion starts a throw-away process at each load (1.3 s); configurations are complete.
        yield Flag("disable-auto-complete-config")

    def _network_flags(self) -> Iterator[Flag]:
        config = self.config
        yield Flag("http-address", config.host, required=True)
        yield Flag("http-port", str(config.http_port))
        yield Flag("http-thread-count", str(config.http_threads))
        yield Flag("grpc-address", config.host, required=True)
        yield Flag("grpc-port", str(config.grpc_port))
        yield Flag("metrics-address", config.host)
        yield Flag("metrics-port", str(config.metrics_port))
        key = f"{ADMIN_HEADER}={self.secret}"
        yield Flag("http-restricted-api", f"{','.join(_RESTRICTED_HTTP)}:{key}", required=True)
        yield Flag("grpc-restricted-protocol", f"{','.join(_RESTRICTED_GRPC)}:{key}", required=True)
        # Newer servers can refuse clients' shared memory altogether.
        yield Flag("allow-client-shm", "false")

    def _backend_flags(self, owner: RegionOwner) -> Iterator[Flag]:
        config = self.config
        yield Flag("backend-directory", str(self.backends))
        # A Python-based backend reads the settings of `python`, not those under its own name.
        yield Flag("backend-config", f"python,shm-region-prefix-name={owner.prefix}")
        yield Flag("backend-config", f"python,shm-default-byte-size={config.shm_bytes}")
        yield Flag("cache-directory", str(self.wheel.caches))
        if config.response_cache_bytes:
            yield Flag("cache-config", f"local,size={config.response_cache_bytes}")


def prepare(config: TritonConfig) -> Installation:
    """Check this machine and put together what a server needs.

    Raises:
        UnusableEnvironmentError: the wheel, the stub, libpython or a fitting numpy is missing.
        ConfigurationError: the admin secret is unusable.
    """
    check_numpy()
    wheel = find_wheel()
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    backends = assemble(config.state_dir.resolve(), wheel, find_libpython())
    secret = admin_secret(config.state_dir, config.admin_secret)
    return Installation(config, wheel, backends, secret, known_flags(wheel.server))
