"""What a Python program would do to put bytes on S3: parts of 8 MiB, two at a time.

`python -m bench.bare_s3 ENDPOINT BUCKET SIZE COUNT MODE` prints the CPU seconds of COUNT objects.
With MODE `default` botocore has its default settings, with `ours` the gateway's.
"""

import asyncio
import os
import sys
import time
from io import BytesIO
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from bench.sides import pin
from gateway.store.config import client_config

PART = 8 * 1024**2


def main() -> None:
    endpoint, bucket, size, count, mode = sys.argv[1:]
    pin(os.getpid(), core=0)
    config = client_config(endpoint) if mode == "ours" else AioConfig()
    print(asyncio.run(_measure(endpoint, bucket, int(size), int(count), config)))


async def _measure(endpoint: str, bucket: str, size: int, count: int, config: AioConfig) -> float:
    data = os.urandom(PART)
    client = get_session().create_client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", config=config
    )
    async with client as s3:
        await _put(s3, bucket, "bare/first", data, size)
        before = time.process_time()
        for number in range(count):
            await _put(s3, bucket, f"bare/{number}", data, size)
        return time.process_time() - before


async def _put(s3: Any, bucket: str, key: str, data: bytes, size: int) -> None:
    if size <= PART:
        await s3.put_object(Bucket=bucket, Key=key, Body=BytesIO(data[:size]))
        return
    begun = await s3.create_multipart_upload(Bucket=bucket, Key=key)
    places = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
    two_at_a_time = asyncio.Semaphore(2)

    async def send(number: int) -> dict[str, Any]:
        async with two_at_a_time:
            body = BytesIO(data[: size - (number - 1) * PART])
            part = await s3.upload_part(**places, PartNumber=number, Body=body)
            checksums = {name: part[name] for name in part if name.startswith("ChecksumCRC")}
            return {"PartNumber": number, "ETag": part["ETag"], **checksums}

    parts = await asyncio.gather(*(send(number) for number in range(1, -(-size // PART) + 1)))
    await s3.complete_multipart_upload(**places, MultipartUpload={"Parts": parts})


if __name__ == "__main__":
    main()
