"""The policies for AWS: the role's rights are the calls that the code makes, on its keys."""

import ast
import json
from typing import Any

import botocore.session  # noqa: TID251 - AWS's own description of its API
import pytest
from botocore import xform_name  # noqa: TID251
from botocore.validate import ParamValidator  # noqa: TID251

from gateway.doctor import examination
from gateway.store import s3, sdk
from gateway.store.direct import exchange
from gateway.uploads import keys
from tests.deploy.tools import DEPLOY, ROOT, Tools, checked

AWS = DEPLOY / "aws"
BUCKET = "arn:aws:s3:::example-chat-uploads"

# Of the Service Authorization Reference and the S3 API Reference, "permissions" of each operation.
ACTIONS = {
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "complete_multipart_upload": "s3:PutObject",
    "create_bucket": None,  # an operator's: nothing that serves calls it
    "create_multipart_upload": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObject",
    "get_object": "s3:GetObject",
    "head_bucket": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "list_objects_v2": "s3:ListBucket",
    "list_parts": "s3:ListMultipartUploadParts",
    "put_object": "s3:PutObject",
    "upload_part": "s3:PutObject",
}
PREFIXES = {
    keys.INCOMING,
    keys.PENDING,
    keys.RECORDS,
    keys.CLAIMS,
    keys.DEAD,
    keys.PRESENCES,
    keys.REMOVALS,
    keys.SPARES,
    keys.ORPHANS,
    keys.EXPIRIES,
    keys.OUTBOX,
    keys.STOPPED,
    keys.SESSIONS,
    keys.TAILS,
    "doctor/",
}
_FIND = """
import json, sys, warnings
warnings.simplefilter("ignore")
from parliament import analyze_policy_string
policies = map(analyze_policy_string, json.load(sys.stdin))
print(json.dumps([[found.issue for found in policy.findings] for policy in policies]))
"""


def _document(name: str) -> Any:
    return json.loads((AWS / f"{name}.json").read_text())


def test_the_role_may_do_what_the_code_does_and_nothing_else() -> None:
    every_upload, others = _calls(sdk.__file__), _calls(s3.__file__)
    assert every_upload | others == ACTIONS.keys()
    assert {xform_name(name) for name in exchange.OPERATIONS} == every_upload
    allowed = {
        action
        for statement in _document("role-policy")["Statement"]
        for action in statement["Action"]
    }
    assert allowed == set(ACTIONS.values()) - {None}


def test_no_serving_part_creates_the_bucket() -> None:
    callers = [
        path
        for package in ("gateway", "workers")
        for path in (ROOT / package).rglob("*.py")
        if "ensure_bucket(" in path.read_text()
    ]
    assert [path.name for path in callers] == ["s3.py"]


def test_the_role_may_touch_the_keys_that_the_code_uses_and_no_others() -> None:
    bucket, objects, in_parts = _document("role-policy")["Statement"]
    assert bucket["Resource"] == BUCKET
    assert set(objects["Resource"]) == {
        *(f"{BUCKET}/{prefix}*" for prefix in PREFIXES),
        f"{BUCKET}/{keys.SWEEP}",
    }
    assert set(in_parts["Resource"]) == {f"{BUCKET}/{keys.INCOMING}*", f"{BUCKET}/doctor/*"}
    assert examination._PROBE.startswith("doctor/")
    prefixes = {value for name, value in vars(keys).items() if name.isupper() and value[-1] == "/"}
    assert prefixes | {"doctor/"} == PREFIXES


def test_no_lifecycle_rule_expires_what_the_gateway_keeps() -> None:
    rules = _document("lifecycle")["Rules"]
    expiring = [rule for rule in rules if "Days" in rule.get("Expiration", {})]
    assert [rule["Filter"]["Prefix"] for rule in expiring] == ["doctor/"]
    kept = PREFIXES - {"doctor/"}
    assert not any(prefix.startswith("doctor/") for prefix in kept)


def test_policies_pass_their_linter_which_finds_what_is_wrong(tools: Tools) -> None:
    role, bucket = ((AWS / f"{name}-policy.json").read_text() for name in ("role", "bucket"))
    wrong = role.replace("DeleteObject", "DeleteObjekt")
    python = str(tools.environment / "bin" / "python")
    found = json.loads(checked([python, "-c", _FIND], text=json.dumps([role, bucket, wrong])))
    assert found == [[], [], ["UNKNOWN_ACTION"]]


@pytest.mark.parametrize(
    ("operation", "member", "name"),
    [
        ("PutBucketLifecycleConfiguration", "LifecycleConfiguration", "lifecycle"),
        ("PutPublicAccessBlock", "PublicAccessBlockConfiguration", "public-access-block"),
        ("PutBucketEncryption", "ServerSideEncryptionConfiguration", "encryption"),
    ],
)
def test_configurations_are_valid_for_the_api(operation: str, member: str, name: str) -> None:
    model = botocore.session.get_session().get_service_model("s3").operation_model(operation)
    request = {"Bucket": "example-chat-uploads", member: _document(name)}
    assert model.input_shape is not None
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_role_is_for_the_account_of_the_pods() -> None:
    (statement,) = _document("trust-policy")["Statement"]
    _, _, provider = statement["Principal"]["Federated"].partition(":oidc-provider/")
    assert statement["Condition"]["StringEquals"] == {
        f"{provider}:aud": "sts.amazonaws.com",
        f"{provider}:sub": "system:serviceaccount:chatkitty-gateway:chatkitty-gateway",
    }
    kubernetes = DEPLOY / "kubernetes"
    overlay = (kubernetes / "overlays" / "aws" / "kustomization.yaml").read_text()
    assert "\nnamespace: chatkitty-gateway\n" in overlay
    assert "\n  name: chatkitty-gateway\n" in (kubernetes / "base" / "account.yaml").read_text()


def test_nothing_that_was_acknowledged_expires() -> None:
    for rule in _document("lifecycle")["Rules"]:
        if "Days" in rule.get("Expiration", {}):
            assert rule["Filter"] == {"Prefix": "doctor/"}


def _calls(file: str) -> set[str]:
    """The S3 operations that a module uses, by their names in botocore."""
    with open(file, encoding="utf-8") as source:  # noqa: PTH123
        tree = ast.parse(source.read())
    calls = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if ast.unparse(node.func.value) in ("self._client", "self._presigner"):
            name = node.func.attr
            if name == "generate_presigned_url":
                name = ast.literal_eval(node.args[0])
            calls.add(name)
    return calls
