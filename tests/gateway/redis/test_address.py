"""URLs of Redis, as operators write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.redis.address import Host, RedisAddress, completed

HUSH = "hush7"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://cache", "redis://cache:6379/0"),
        ("redis://cache?db=7", "redis://cache:6379/7"),
        ("redis://", "redis://localhost:6379/0"),
        ("rediss://user:p%40ss@cache:1/3", "rediss://cache:1/3"),
        ("redis://[::1]:7/", "redis://[::1]:7/0"),
        ("redis+sentinel://a,b:2,[::1]/main", "redis+sentinel://a:26379,b:2,[::1]:26379/main/0"),
        ("rediss+sentinel://u:p@a,b/main/4", "rediss+sentinel://a:26379,b:26379/main/4"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, told: str) -> None:
    assert str(RedisAddress.of(url)) == told


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+cluster://:hush7@a:1", "Cluster cannot be used"),
        ("rediss-cluster://:hush7@a:1", "Cluster cannot be used"),
        ("sentinel://:hush7@a:1", "redis+sentinel://HOST"),
        ("valkey://:hush7@a", "write redis://"),
        ("unix:///run/redis.sock", "name a port"),
        ("redis+socket:///run/redis.sock", "name a port"),
        ("http://:hush7@a", "must begin with one of"),
        ("cache:6379", "must begin with one of"),
        ("redis://:hush7@a,b/0", "only the primary, or its sentinels"),
        ("redis://:hush7@a/uploads", "database must be a number"),
        ("redis+sentinel://:hush7@a:1,b:2", "name the master"),
        ("redis+sentinel://:hush7@a:1/main/0/1", "database must be a number"),
        ("redis://:hush7@a/0?foo=1", "unknown option: foo"),
        ("redis://:hush7@a/0?ssl_ca_certs=/ca.pem", "only with rediss://"),
        ("redis://:hush7@a/0?sentinel_password=hush7", "only with redis+sentinel://"),
        ("redis://:hush7@a/0?socket_timeout=soon", "socket_timeout"),
        ("redis://:hush7/x@a/0", "percent-encoded"),
        ("redis://:1/hush7@a/0", "percent-encoded"),
        ("redis://:1?hush7=@a/0", "percent-encoded"),
        ("redis://:1?hush7@a/0", "percent-encoded"),
        ("redis://:1#hush7@a/0", "percent-encoded"),
        ("redis://:[hush7@a/0", "percent-encoded"),
        ("redis://a:hush7/0", "percent-encoded"),
        ("redis://a:66666/0", "percent-encoded"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_remedy(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        RedisAddress.of(url)
    assert says in str(caught.value)
    assert HUSH not in str(caught.value)


hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
ports = st.integers(1, 65535)
words = st.text(min_size=1).filter(lambda text: not text.isspace())
secrets = st.none() | words


@given(
    at=st.lists(st.builds(Host, hosts, ports), min_size=1, max_size=4),
    master=st.from_regex(r"[\w.-]+", fullmatch=True),
    database=st.integers(0, 99),
    user=secrets,
    password=secrets,
    of_sentinels=secrets,
)
def test_options_outside_the_url_are_part_of_the_address(
    at: list[Host],
    master: str,
    database: int,
    user: str | None,
    password: str | None,
    of_sentinels: str | None,
) -> None:
    url = f"redis+sentinel://{','.join(map(str, at))}/{master}/{database}"
    more = {"sentinel_password": of_sentinels} if of_sentinels else {}
    address = RedisAddress.of(completed(url, user, password, more))
    told = {"username": user, "password": password, "db": database}
    assert (address.hosts, address.master) == (tuple(at), master)
    assert address.options == {name: value for name, value in told.items() if value is not None}
    assert address.sentinel_options == ({"password": of_sentinels} if of_sentinels else {})
    bare = RedisAddress.of(url)
    assert (str(address), repr(address)) == (str(bare), repr(bare))  # which tell no secret


@given(text=st.text())
def test_no_text_is_more_than_an_address_or_a_value_error(text: str) -> None:
    for url in (text, f"redis://{text}", f"redis+sentinel://a/{text}", f"rediss://a/0?{text}"):
        try:
            RedisAddress.of(url)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("url", "user", "more"),
    [
        ("redis://:p@a/0", "somebody", {}),
        ("rediss://a/0?ssl_ca_certs=/a.pem", None, {"ssl_ca_certs": "/b.pem"}),
    ],
)
def test_an_option_that_is_set_twice_is_refused(
    url: str, user: str | None, more: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"GATEWAY_REDIS_.*remove one"):
        completed(url, user, None, more)
