"""PyPI tuspy 1.1.0, unmodified: one upload by tus, whose chunks have checksums.

It prints the upload's URL. With `--stop-at` it stops there, and with `--url` it goes on with one.
"""

import argparse
import json

# Lives in an environment of its own, which the type checker does not see.
from tusclient.client import TusClient  # type: ignore[import-not-found]


def read_arguments() -> argparse.Namespace:
    """The driver's arguments."""
    parser = argparse.ArgumentParser()
    for name in ("endpoint", "access-token", "file", "url"):
        parser.add_argument(f"--{name}")
    for name in ("chunk-size", "stop-at"):
        parser.add_argument(f"--{name}", type=int)
    return parser.parse_args()


def main() -> None:
    """Upload the file."""
    given = read_arguments()
    client = TusClient(given.endpoint, headers={"Authorization": f"Bearer {given.access_token}"})
    uploader = client.uploader(
        given.file,
        url=given.url,
        chunk_size=given.chunk_size,
        metadata={"filename": "clip.bin", "groupTag": "cats"},
        retries=20,
        retry_delay=0.1,
        upload_checksum=True,
    )
    uploader.upload(stop_at=given.stop_at)
    print(json.dumps({"url": uploader.url, "offset": uploader.offset}))  # noqa: T201


if __name__ == "__main__":
    main()
