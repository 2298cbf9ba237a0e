"""Alerts on the processes themselves: is there a gateway, a Triton, a supervisor, and do they stay up."""

from __future__ import annotations

from monitoring.config import GATEWAY_JOB, SUPERVISOR_JOB, TRITON_JOB, RuleConfig
from monitoring.rules.model import Alert, Group


def alerts(config: RuleConfig) -> Group:
    """Return the alerts on scrape targets and restarts."""
    return Group(
        "targets",
        (_gateway(config), _triton(config), _supervisor(config), _unreachable(config), _loop(config)),
    )


def _gateway(config: RuleConfig) -> Alert:
    return Alert(
        "GatewayDown",
        # In Kubernetes a lost pod takes its target along: then nothing is left that could be 0.
        expr=f'up{{job="{GATEWAY_JOB}"}} == 0 or absent(up{{job="{GATEWAY_JOB}"}})',
        hold=config.holds.target,
        severity="critical",
        summary="A gateway does not answer its metrics port.",
        description="{{ with $labels.instance }}{{ . }}{{ else }}No gateway{{ end }} is "
        "{{ with $labels.instance }}down{{ else }}known to Prometheus{{ end }}; its callers get no answer.",
    )


def _triton(config: RuleConfig) -> Alert:
    return Alert(
        "TritonDown",
        expr=f'up{{job="{TRITON_JOB}"}} == 0 or absent(up{{job="{TRITON_JOB}"}})',
        hold=config.holds.target,
        severity="critical",
        summary="A Triton does not answer its metrics port.",
        description="{{ with $labels.instance }}{{ . }}{{ else }}No Triton{{ end }} is "
        "{{ with $labels.instance }}down{{ else }}known to Prometheus{{ end }}; its models answer 503.",
    )


def _supervisor(config: RuleConfig) -> Alert:
    return Alert(
        "SupervisorDown",
        # No absent(): only an embedded Triton has a supervisor.
        expr=f'up{{job="{SUPERVISOR_JOB}"}} == 0',
        hold=config.holds.target,
        severity="warning",
        summary="The supervisor of an embedded Triton does not answer.",
        description="While {{ $labels.instance }} is down, nothing revives Triton or its model processes.",
    )


def _unreachable(config: RuleConfig) -> Alert:
    return Alert(
        "GatewayTritonUnreachable",
        expr="tidegate_triton_up == 0",
        hold=config.holds.target,
        severity="critical",
        summary="A gateway gets no answer from Triton.",
        description="Gateway {{ $labels.instance }} cannot reach Triton: it is down, hung or cut off.",
    )


def _loop(config: RuleConfig) -> Alert:
    window = config.duration(config.holds.restart_window)
    limit = config.thresholds.restarts
    # Without a supervisor (a container) the gateway's view tells it: one restart is two changes.
    return Alert(
        "TritonRestarting",
        expr=f"increase(tidegate_embedded_triton_restarts_total[{window}]) >= {limit}\n"
        f"or changes(tidegate_triton_up[{window}]) >= {2 * limit}",
        hold=0,
        severity="warning",
        summary="Triton keeps restarting.",
        description=f"Seen from {{{{ $labels.instance }}}}: at least {limit} restarts within {window}.",
    )
