import pytest

from chaos.stack import Told, part_of


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("/usr/bin/python3 -m gateway.cli serve", "gateway"),
        ("/usr/bin/python3 -m gateway.cli sandbox --port 1 --data-dir /tmp/serve", "sandbox"),
        ("/usr/bin/python3 -m celery -A workers worker --loglevel WARNING", "worker"),
        ("/usr/bin/python3 -m celery -A workers beat --schedule /tmp/worker", "beat"),
        ("/opt/bin/weed -logtostderr=true mini -dir=/tmp/x", "s3"),
        ("valkey-server --port 1", "redis"),
        ("/usr/bin/redis-server --port 1", "redis"),
        ("sleep 5", None),
        ("", None),
    ],
)
def test_a_part_is_recognised_by_its_command_line(line: str, part: str | None) -> None:
    assert part_of(line.split()) == part


def test_a_server_may_put_its_address_after_its_name() -> None:
    assert part_of(["/opt/valkey-server 127.0.0.1:6379", "", ""]) == "redis"


def test_the_stacks_description_is_found_among_other_output() -> None:
    line = (
        '{"gateway": "http://g", "sandbox": "http://s", "token": "t", "channel": 702,'
        ' "redis": "redis://r", "s3": {"endpoint": "http://b", "bucket": "uploads",'
        ' "access_key_id": "a", "secret_access_key": "k"}, "pids": {}}'
    )
    told = Told.parse(f"starting\n{line}\nredis died\n")
    assert (told.gateway, told.channel, told.s3_bucket) == ("http://g", 702, "uploads")
    with pytest.raises(ValueError, match="did not tell"):
        Told.parse("starting\n")
