"""One plane for every protocol: resolve → permit → validate → admit → call → check.

`build` constructs it from the settings; protocols in `gateway.api` talk to `Plane` only.
"""

from gateway.dataplane.assembly import build
from gateway.dataplane.plane import Permits, Plane
from gateway.dataplane.record import RequestRecord

__all__ = ["Permits", "Plane", "RequestRecord", "build"]
