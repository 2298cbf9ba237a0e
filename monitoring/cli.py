"""The command line: `python -m monitoring rules | dashboards | run | traffic`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from monitoring import generated
from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB, RuleConfig
from monitoring.dashboards import DASHBOARDS_DIRECTORY, dashboard_files
from monitoring.errors import MonitoringError
from monitoring.prometheus import PrometheusConfig, running
from monitoring.rules import RULES_DIRECTORY, rule_files
from monitoring.scrape import ScrapeConfig
from monitoring.traffic import run as traffic_run
from monitoring.traffic.settings import TrafficSettings
from monitoring.watch import watch

HELP = "Rules, dashboards, a real Prometheus and traffic for a running Tidegate."
app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP, pretty_exceptions_enable=False)
# Data goes to standard output, everything said about it to standard error.
err = Console(stderr=True)

Check = Annotated[bool, typer.Option("--check", help="Only compare; exit 1 when a file is not current.")]


@app.command()
def rules(
    check: Check = False,
    runbook_base: Annotated[
        str, typer.Option(help="Put before /<Alert>.md in runbook_url, e.g. the URL of your repository.")
    ] = RuleConfig.runbook_base,
) -> None:
    """Write rules/recording.yaml, rules/alerts.yaml and prometheus.yml."""
    rule_texts = rule_files(RuleConfig(runbook_base=runbook_base))
    _generate(check, RULES_DIRECTORY, rule_texts, ".yaml", "rules")
    _generate(check, RULES_DIRECTORY.parent, {"prometheus.yml": ScrapeConfig().render()}, ".yml", "rules")


@app.command()
def dashboards(check: Check = False) -> None:
    """Write the Grafana dashboards as JSON."""
    _generate(check, DASHBOARDS_DIRECTORY, dashboard_files(), ".json", "dashboards")


@app.command()
def run(
    port: Annotated[int, typer.Option(help="Port of Prometheus.")] = 9090,
    host: Annotated[str, typer.Option(help="Address of Prometheus and of the stack.")] = "127.0.0.1",
    ops_port: Annotated[int, typer.Option(help="The gateway's ops port.")] = 8081,
    triton_metrics_port: Annotated[int, typer.Option(help="Triton's metrics port.")] = 8002,
    supervisor_port: Annotated[int, typer.Option(help="The supervisor's metrics port.")] = 8003,
    interval: Annotated[float, typer.Option(help="Seconds between scrapes.")] = 15.0,
    state_dir: Annotated[Path, typer.Option(help="Data goes to <state-dir>/prometheus.")] = Path(".tidegate"),
) -> None:
    """Run a real Prometheus against the stack of `make up`; Ctrl-C stops it.

    It prints its targets, then every alert as it fires and resolves.

    Example: python -m monitoring run --port 9095 --interval 5
    """
    targets = {
        GATEWAY_JOB: (f"{host}:{ops_port}",),
        TRITON_JOB: (f"{host}:{triton_metrics_port}",),
        SUPERVISOR_JOB: (f"{host}:{supervisor_port}",),
    }
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = PrometheusConfig(
        # Absolute, since Prometheus reads its rule files relative to the configuration.
        directory=(state_dir / "prometheus").absolute(),
        port=port,
        host=host,
        scrape=ScrapeConfig(targets=targets, interval=interval),
    )
    with running(config) as prometheus:
        watch(prometheus, err)


@app.command()
def traffic(
    url: Annotated[str, typer.Option(envvar="TIDEGATE_URL", help="The gateway.")] = "http://127.0.0.1:8080",
    rate: Annotated[float, typer.Option(min=0.1, max=500, help="Requests per second.")] = 20.0,
    duration: Annotated[float, typer.Option(min=1, max=86400, help="Seconds.")] = 60.0,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed sends the same requests.")] = 0,
    state_dir: Annotated[Path, typer.Option(help="Its api-key is used without TIDEGATE_API_KEY.")] = Path(
        ".tidegate"
    ),
) -> None:
    """Send a realistic mix of good and bad requests to the running gateway.

    Inputs are built from each model's metadata. Ends with a summary per kind and status.

    Example: python -m monitoring traffic --rate 50 --duration 300 --model digits
    """
    settings = TrafficSettings(url=url, rate=rate, duration=duration, models=tuple(model or ()), seed=seed)
    traffic_run(settings, state_dir, err)


def main() -> None:
    """Run a command; a `MonitoringError` becomes one sentence and exit status 1."""
    try:
        app()
    except MonitoringError as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        raise SystemExit(1) from None


def _generate(check: bool, directory: Path, files: dict[str, str], suffix: str, command: str) -> None:
    if check:
        generated.check(directory, files, suffix, command)
        err.print(f"{', '.join(files)}: current.")
        return
    changed = generated.write(directory, files)
    for path in changed:
        err.print(f"Wrote {path}.")
    if not changed:
        err.print(f"{', '.join(files)}: nothing to change.")
