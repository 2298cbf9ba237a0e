"""Rendered pods as processes on this machine: what a kubelet does, with a documented substitution.

Everything of a container is taken as rendered: command, args, the whole environment (Secrets filled in),
probes, hooks, grace period; and, where the machine lets a test do so, its rights (`confinement`). Only what a
single machine cannot give is replaced:

- a mount path → a directory of its own under the test's directory (one per volume; `/dev/shm` stays);
- a container's port → a free port, wherever it is a whole environment value or the value of an option;
- `http://<service>.<namespace>.svc:<port>` → `http://127.0.0.1:<port of the first process behind it>`;
- the address `0.0.0.0` → `127.0.0.1`;
- `python` → the interpreter that runs the tests, first on PATH.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.helm.confinement import confined, give_away
from tests.helm.rendering import NAMESPACE, ROOT, Manifest, container_of, environment, pod_spec


@dataclass
class Cluster:
    """One rendered release; gives out directories and ports.

    Attributes:
        objects: everything rendered.
        directory: where the volumes are.
        ports: free port by (pod, container port).
    """

    objects: list[Manifest]
    directory: Path
    ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def port(self, pod: str, container_port: int) -> int:
        """Return the port on this machine that stands for a container's."""
        key = (pod, container_port)
        if key not in self.ports:
            self.ports[key] = _free_port(self.ports.values())
        return self.ports[key]

    def volume(self, pod: str, name: str) -> Path:
        """Return the directory that stands for a pod's volume; the models are one volume for all."""
        path = self.directory / (name if name == "models" else f"{pod}-{name}")
        if not path.exists():
            path.mkdir()
            give_away(path)
        return path

    def address(self, match: re.Match[str]) -> str:
        """Return the local URL of a Service's URL."""
        name, port = match["name"], int(match["port"])
        (service,) = (o for o in self.objects if o["kind"] == "Service" and o["metadata"]["name"] == name)
        component = service["spec"]["selector"]["app.kubernetes.io/component"]
        (target,) = (p["targetPort"] for p in service["spec"]["ports"] if p["port"] == port)
        pod = Pod(self, component)
        return pod.url(pod.container_ports[target])


class Pod:
    """One pod of a release, not yet started.

    Args:
        cluster: the release.
        component: `gateway`, `triton` or `test`.
        replica: tells pods of one Deployment apart.
    """

    def __init__(self, cluster: Cluster, component: str, replica: int = 0) -> None:
        self.cluster = cluster
        self.name = f"{component}-{replica}"
        self.spec = pod_spec(cluster.objects, f"-{component}")
        self.container = container_of(self.spec)

    @property
    def container_ports(self) -> dict[str, int]:
        """The container's ports by name."""
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}

    @property
    def volumes(self) -> dict[str, Path]:
        """The directories of the volumes by mount path."""
        mounts = self.container["volumeMounts"]
        return {mount["mountPath"]: self.cluster.volume(self.name, mount["name"]) for mount in mounts}

    def local(self, text: str) -> str:
        """Apply the substitution of this module to one argument or environment value."""
        service = rf"http://(?P<name>[a-z0-9-]+)\.{NAMESPACE}\.svc:(?P<port>\d+)"
        text = re.sub(service, self.cluster.address, text)
        text = re.sub(r"^((?:--[a-z-]+=)?)0\.0\.0\.0$", r"\g<1>127.0.0.1", text)
        for number in self.container_ports.values():
            free = self.cluster.port(self.name, number)
            text = re.sub(rf"^((?:--[a-z-]+-port=)?){number}$", rf"\g<1>{free}", text)
        volumes = self.volumes
        # In one go: the directories that stand for volumes may themselves be below /tmp.
        return re.sub(
            rf"^((?:--[a-z-]+=)?)({'|'.join(map(re.escape, volumes))})(?=/|$)",
            lambda match: match[1] + str(volumes[match[2]]),
            text,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The container's environment and nothing of this process's but PATH."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = environment(self.container, self.cluster.objects)
        # The packages are importable from the repository's root instead of an image.
        image = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return image | {name: self.local(value) for name, value in given.items()}

    @property
    def command(self) -> list[str]:
        """The container's command line, with the container's rights."""
        words = [*self.container.get("command", []), *self.container.get("args", [])]
        read_only = {mount["mountPath"] for mount in self.container["volumeMounts"] if mount.get("readOnly")}
        # This machine's own shared memory stays.
        writable = [path for mount, path in self.volumes.items() if mount not in {*read_only, "/dev/shm"}]
        return confined([self.local(word) for word in words], writable, self.volumes.get("/tmp"))

    @property
    def grace(self) -> float:
        """Seconds between the request to end and SIGKILL."""
        return float(self.spec["terminationGracePeriodSeconds"])

    def url(self, container_port: int) -> str:
        """Return the base URL of one of its ports."""
        return f"http://127.0.0.1:{self.cluster.port(self.name, container_port)}"

    def probe(self, name: str) -> int:
        """Run one probe as the kubelet does; return the status, 0 when nothing answers."""
        probe: dict[str, Any] = self.container[name]
        url = self.url(self.container_ports[probe["httpGet"]["port"]]) + probe["httpGet"]["path"]
        try:
            return httpx.get(url, timeout=probe["timeoutSeconds"], trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def run(self, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command, env=self.environment, cwd=self.cluster.directory,
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip


class RunningPod:
    """A started pod; stop it with `delete` or `kill`."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.log = pod.cluster.directory / f"{pod.name}.log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                pod.command, env=pod.environment, cwd=pod.cluster.directory,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def wait_for(self, probe: str, seconds: float) -> None:
        """Return once a probe passes."""
        deadline = time.monotonic() + seconds
        while (status := self.pod.probe(probe)) != 200:
            log = self.log.read_text()
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{log}"
            assert time.monotonic() < deadline, f"{probe} says {status} after {seconds} s:\n{log}"
            time.sleep(0.1)

    def delete(self) -> float:
        """End it as the kubelet does: the hook, SIGTERM, at most the grace period.

        Returns:
            Seconds the hook took.
        """
        begin = time.monotonic()
        hook = self.pod.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        if hook:
            subprocess.run(hook, env=self.pod.environment, check=True, timeout=self.pod.grace)
        hooked = time.monotonic() - begin
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(self.pod.grace - hooked)
        return hooked

    def kill(self) -> None:
        """End it at once, if it still runs, with everything it started."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def _free_port(taken: Collection[int]) -> int:
    """Return a port below those that the kernel gives to outgoing connections.

    The processes start long after the choice, with clients that open many connections in between.
    """
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            if port not in taken and probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
