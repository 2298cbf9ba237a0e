"""What `tidegate up` prints when the stack is ready: addresses, a key, and commands to paste."""

from __future__ import annotations

from tidegate.stack import StackConfig

# One patient of the diabetes data set: age, sex, body mass index, blood pressure, six blood values.
PATIENT = "[59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]"
DIGIT = "samples/digits/example.json"


def welcome(config: StackConfig, api_key: str, seconds: float) -> str:
    """Return the text for a stack that became ready after `seconds`."""
    url = config.gateway_url
    authorised = '-H "Authorization: Bearer $KEY"'
    return f"""
Tidegate is ready ({seconds:.1f} s).

  Gateway      {url}      (V2 and V1 inference, /admin/v1)
  Operations   {config.ops_url}      (/metrics /livez /readyz)
  Triton       {config.triton_url}      (direct, this machine only)
  API key      {api_key}

Try it in another terminal:

  export KEY={api_key}
  curl -s {url}/v1/models/diabetes:predict {authorised} \\
    --json '{{"instances": [{PATIENT}]}}'
  curl -s {url}/v2/models/digits/infer {authorised} --json @{DIGIT}
  curl -s {url}/v2/models/digits {authorised}

Ctrl-C drains and stops everything. Logs: {config.state.logs}
"""
