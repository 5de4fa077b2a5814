"""SeaweedFS as an S3 store: that of the `embedded` extra, unless `UP_WEED` names another."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.stack.part import Command, PartError
from gateway.stack.ports import HOST, LAST, free_port_from, free_ports
from gateway.stack.probes import answers
from gateway.stack.programs import program

PROGRAM: Final = "UP_WEED"

_SERVICES = ("master", "volume", "filer")
_WORKERS_DIAL: Final = 10_000
"""SeaweedFS' workers connect to the admin server's port plus this, whatever `-admin.port.grpc` is,
and try again every few seconds (seen in 4.48). Above the last port they reach nobody; elsewhere
they would reach whichever program has that port.
"""
_GRACE = 8.0
_MOST_VOLUMES = 10_000
"""More than there are: by default, SeaweedFS allows only as many full ones as fit on the disk."""


@dataclass(frozen=True, slots=True)
class SeaweedFS:
    """A SeaweedFS with one bucket and one pair of keys, which keeps its data under a directory."""

    data_dir: Path
    port: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    bucket: str = "uploads"

    @property
    def endpoint_url(self) -> str:
        """The URL for S3 clients."""
        return f"http://{HOST}:{self.port}"

    def settings(self) -> dict[str, str]:
        """The gateway's settings for it."""
        return {
            "GATEWAY_S3_ENDPOINT_URL": self.endpoint_url,
            "GATEWAY_S3_BUCKET": self.bucket,
            "GATEWAY_S3_REGION": "us-east-1",
            "GATEWAY_S3_ACCESS_KEY_ID": self.access_key_id,
            "GATEWAY_S3_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def command(self) -> Command:
        """How it is started. Raises PartError if none is installed."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        grpc, admin_grpc, *ports = free_ports(2 + 2 * len(_SERVICES))
        admin = free_port_from(LAST - _WORKERS_DIAL + 1)
        flags = [
            f"-s3.port={self.port}",
            f"-s3.port.grpc={grpc}",
            f"-admin.port={admin}",
            f"-admin.port.grpc={admin_grpc}",
        ]
        for service, port, twin in zip(_SERVICES, ports[::2], ports[1::2], strict=True):
            flags += [f"-{service}.port={port}", f"-{service}.port.grpc={twin}"]
        return Command(
            "s3",
            [
                _binary(),
                "-logtostderr=true",
                "mini",
                f"-dir={self.data_dir}",
                f"-ip={HOST}",
                f"-ip.bind={HOST}",
                f"-bucket={self.bucket}",
                "-master.telemetry=false",
                "-webdav=false",
                "-admin.ui=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-volume.max={_MOST_VOLUMES}",
                *flags,
            ],
            # Its bucket exists a moment later; the gateway's readiness shows that.
            lambda: answers(self.endpoint_url),
            {
                "AWS_ACCESS_KEY_ID": self.access_key_id,
                "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
                "GOMEMLIMIT": "1GiB",
            },
            grace=_GRACE,
        )


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = program(PROGRAM, lambda: beside if beside.exists() else None, "weed")
    if found is None:
        raise PartError(
            "no SeaweedFS: install the `embedded` extra, or set GATEWAY_S3_ENDPOINT_URL"
        )
    return found
