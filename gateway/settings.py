"""The gateway's settings: read once from `TIDEGATE_*` environment variables, then only passed on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20


class Settings(BaseSettings):
    """Every setting of the gateway; `TIDEGATE_HTTP_PORT` sets `http_port`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="TIDEGATE_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    http_host: str = Field(default="127.0.0.1", description="address of the inference and admin API")
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="port of the inference and admin API; 0 picks one"
    )
    ops_host: str = Field(default="127.0.0.1", description="address of /metrics, /livez and /readyz")
    ops_port: int = Field(
        default=8081, ge=0, le=65535, description="port of /metrics, /livez and /readyz; 0 picks one"
    )

    triton_urls: str = Field(
        default="http://127.0.0.1:8000",
        description="Triton's HTTP base URL (this version speaks to exactly one)",
    )
    triton_admin_header: str = Field(
        default="x-tidegate-triton-admin", description="header that opens Triton's restricted APIs"
    )
    triton_admin_secret: SecretStr | None = Field(default=None, description="value of that header")
    triton_admin_secret_file: Path | None = Field(default=None, description="file that holds that value")
    triton_connections: int = Field(default=64, ge=1, description="most open connections to Triton")
    triton_connect_timeout: float = Field(
        default=2.0, gt=0, description="seconds to wait for a connection to Triton"
    )
    model_load_timeout: float = Field(default=120.0, gt=0, description="seconds one model load may take")
    catalog_interval: float = Field(
        default=1.0, gt=0, description="seconds between looks at what Triton serves"
    )

    model_repository: Path = Field(
        default=Path("model_repository"),
        description="Triton's model repository, only read: manifests, config.pbtxt and golden requests",
    )
    auto_deploy: bool = Field(
        default=True,
        description="deploy a model that has no stable version at its highest usable one when it is seen",
    )
    require_manifest: bool = Field(
        default=True,
        description="refuse versions without manifest.json; off: a version folder needs only its files",
    )
    unload_grace: float = Field(
        default=30.0, ge=0, description="seconds a version that nothing names any more stays loaded"
    )

    state_dir: Path = Field(
        default=Path(".tidegate"), description="SQLite and generated keys; kept at mode 0700"
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the control plane; SQLite in the state directory by default",
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        description="secret mixed into every stored key hash; generated into the state directory by default",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        description="bootstrap admin key (`tg_<id>_<secret>`); generated and shown once by default",
    )
    principals_interval: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="seconds between looks for changed keys; a revoked key dies within it",
    )

    max_body_bytes: int = Field(
        default=64 * MIB, ge=1, description="largest request body, also after decompression"
    )
    max_response_bytes: int = Field(
        default=256 * MIB, ge=1, description="largest answer accepted from Triton"
    )
    request_timeout: float = Field(
        default=30.0, gt=0, description="seconds a request may take, waiting included"
    )
    body_timeout: float = Field(default=30.0, gt=0, description="seconds a client may take to send its body")
    max_in_flight: int | None = Field(
        default=None,
        ge=1,
        description="most requests of one model version inside Triton; 2 * instances * max batch by default",
    )
    max_queue: int = Field(
        default=256, ge=0, description="most requests of one model version that wait in the gateway"
    )
    keep_alive_timeout: int = Field(
        default=75, ge=1, description="seconds an idle client connection is kept open"
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="seconds after SIGTERM in which requests are still accepted while /readyz says 503",
    )
    drain_timeout: float = Field(
        default=25.0, gt=0, description="seconds in-flight requests get to finish after that"
    )

    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least severe level logged"
    )
    access_log: bool = Field(default=True, description="log one line per request")

    @property
    def triton_url(self) -> str:
        """Triton's base URL without a trailing slash."""
        return self.triton_urls.rstrip("/")

    @field_validator("triton_urls")
    @classmethod
    def _one_plain_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            plain = parts.scheme == "http" and parts.hostname and parts.port != 0 and parts.path in ("", "/")
        except ValueError:
            plain = False
        if not plain or "@" in value or "?" in value or "#" in value or "," in value:
            raise ValueError("write one URL like http://127.0.0.1:8000, without credentials and path")
        return value


def environment_name(setting: str) -> str:
    """Return the environment variable that sets `setting`."""
    return f"{Settings.model_config['env_prefix']}{setting}".upper()
