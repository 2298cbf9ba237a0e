"""What `tidegate up` prints when the stack is ready: addresses, a key, and commands to paste."""

from __future__ import annotations

from export import ModelRepository
from tidegate.commands.options import DEFAULT_REPOSITORY, DEFAULT_STATE_DIR, DEFAULT_URL
from tidegate.stack import StackConfig

# One patient of the diabetes data set: age, sex, body mass index, blood pressure, six blood values.
PATIENT = "[59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]"
DIGIT = "samples/digits/example.json"


def welcome(config: StackConfig, api_key: str, seconds: float) -> str:
    """Return the text for a stack that became ready after `seconds`."""
    commands = "\n".join(f"  {line}" for line in (*_exports(config, api_key), *_calls(config)))
    return f"""
Tidegate is ready ({seconds:.1f} s).

  Gateway      {config.gateway_url}      (V2 and V1 inference, /admin/v1)
  Operations   {config.ops_url}      (/metrics /livez /readyz)
  Triton       {config.triton_url}      (direct, this machine only)
  API key      {api_key}

Try it in another terminal:

{commands}

Ctrl-C drains and stops everything. Logs: {config.state.logs}
"""


def _exports(config: StackConfig, api_key: str) -> list[str]:
    """Return what the other terminal has to know; the commands find a default stack by themselves."""
    lines = [f"export KEY={api_key}"]
    if config.gateway_url != DEFAULT_URL:
        lines.append(f"export TIDEGATE_URL={config.gateway_url}")
    if config.state.path != DEFAULT_STATE_DIR.absolute():
        lines.append(f"export TIDEGATE_STATE_DIR={config.state.path}")
    if config.model_repository != DEFAULT_REPOSITORY.absolute():
        lines.append(f"export TIDEGATE_MODEL_REPOSITORY={config.model_repository}")
    return lines


def _calls(config: StackConfig) -> list[str]:
    """Return calls that this stack answers, the samples' where they are published."""
    url = config.gateway_url
    authorised = '-H "Authorization: Bearer $KEY"'
    published = ModelRepository(config.model_repository).models()
    lines = [] if published else [f"curl -s {url}/v1/models {authorised}"]
    if "diabetes" in published:
        lines += [
            f"curl -s {url}/v1/models/diabetes:predict {authorised} \\",
            f"  --json '{{\"instances\": [{PATIENT}]}}'",
        ]
    if "digits" in published:
        lines.append(f"curl -s {url}/v2/models/digits/infer {authorised} --json @{DIGIT}")
    lines += [f"curl -s {url}/v2/models/{name} {authorised}" for name in published[-1:]]
    return lines
