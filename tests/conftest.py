"""What holds for every test."""

from __future__ import annotations

import os

# ONNX Runtime reports its sessions to its maker unless told not to; tests talk to nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
