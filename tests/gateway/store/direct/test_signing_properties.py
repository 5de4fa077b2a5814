"""Signatures are those of botocore's own signer, whatever is signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import time_machine
from botocore.auth import S3SigV4Auth  # noqa: TID251 - the model for the signatures
from botocore.awsrequest import AWSRequest  # noqa: TID251
from botocore.config import Config  # noqa: TID251
from botocore.credentials import ReadOnlyCredentials  # noqa: TID251
from botocore.utils import percent_encode  # noqa: TID251
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.direct.signing import UNSIGNED_BODY, Scope, Unsigned, sign

HOST = "store.example:9000"

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
fields = st.sampled_from(["Range", "If-Match", "If-None-Match", "x-amz-meta-note", "X-AMZ-a", "b"])
parameters = st.tuples(st.sampled_from(["uploadId", "partNumber", "a", "a-", "Z"]), words)


@dataclass(frozen=True)
class Asked:
    """What is to be signed; a body of None has no signature."""

    method: str
    key: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def target(self) -> str:
        query = "&".join(f"{name}={percent_encode(value)}" for name, value in self.query)
        path = f"/{percent_encode(self.key, safe='/~')}"
        return f"{path}?{query}" if query else path


asked = st.builds(
    Asked,
    st.sampled_from(["PUT", "GET", "HEAD", "DELETE"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(parameters, max_size=4),
    st.dictionaries(fields, words).map(lambda headers: {**headers, "Host": HOST}),
    st.none() | st.binary(max_size=100),
)
credentials = st.builds(ReadOnlyCredentials, visible, visible, st.none() | visible)
scopes = st.builds(Scope, st.sampled_from(["s3", "s3-object-lambda"]), visible)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(asked, credentials, scopes, times)
def test_a_signature(
    asked: Asked, credentials: ReadOnlyCredentials, scope: Scope, at: datetime
) -> None:
    digest = sha256(asked.body).hexdigest() if asked.body is not None else UNSIGNED_BODY
    made = sign(Unsigned(asked.method, asked.target, asked.headers, digest), credentials, scope, at)
    with time_machine.travel(at, tick=False):
        assert made == by_botocore(asked, credentials, scope)


def by_botocore(asked: Asked, credentials: ReadOnlyCredentials, scope: Scope) -> dict[str, str]:
    url = f"http://{HOST}{asked.target}"
    request = AWSRequest(asked.method, url, asked.headers, asked.body)
    signs_body = asked.body is not None
    request.context["client_config"] = Config(s3={"payload_signing_enabled": signs_body})
    S3SigV4Auth(credentials, scope.service, scope.region).add_auth(request)
    return dict(request.headers.items())
