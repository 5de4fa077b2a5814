import subprocess
import sys

SPEAKING = {"aiohttp", "aiobotocore", "celery", "cryptography", "kombu", "pydantic", "redis"}


def test_a_record_can_be_read_without_anything_that_speaks_to_the_world() -> None:
    code = "import sys, gateway.uploads.record; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert SPEAKING & {*loaded.stdout.split()} == set()
