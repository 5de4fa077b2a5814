"""What a broker's errors mean to an operator, in one line that says what to change. Pure.

Errors are recognised by what they contain, not by their classes: the classes of SQS' client exist
only with the extra `sqs`.
"""

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Final

from gateway.brokers.kinds import QueueType
from gateway.causes import causes_of

RIGHTS: Final = r"^(uploads|celery|reply\.celery|amq\.default).*|.*\.celery\.pidbox$"
"""The names in RabbitMQ for which a user needs the rights to configure, write and read.

Tasks are sent by the default exchange, and remote control has queues and exchanges of its own.
"""

_GRANT: Final = (
    f"rabbitmqctl set_permissions -p {{vhost}} {{user}} '{RIGHTS}' '{RIGHTS}' '{RIGHTS}'"
)
_RABBITMQ: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"has not answered for"),
        (
            "RabbitMQ does not answer, because it has an alarm for memory or disk, or hangs: check"
            " its alarms (rabbitmqctl status), free memory or disk, or restart it"
        ),
    ),
    (
        re.compile(r"Login was refused"),
        (
            "RabbitMQ refuses the user or the password: check GATEWAY_BROKER_URL, in which both are"
            " percent-encoded (guest may log in from RabbitMQ's own machine only)"
        ),
    ),
    (
        re.compile(r"vhost (?P<vhost>.+) not found"),
        (
            "RabbitMQ has no virtual host {vhost}: create it (rabbitmqctl add_vhost), or change the"
            " path of GATEWAY_BROKER_URL (the virtual host / is written %2F)"
        ),
    ),
    (
        re.compile(r"access to vhost '(?P<vhost>.*)' refused for user '(?P<user>.*)'"),
        f"RabbitMQ does not let {{user}} into the virtual host {{vhost}}: {_GRANT}",
    ),
    (
        re.compile(
            r"access to (?P<what>\w+ '.*') in vhost '(?P<vhost>.*)' refused for user '(?P<user>.*)'"
        ),
        f"RabbitMQ does not let {{user}} use {{what}}: {_GRANT}",
    ),
    (
        re.compile(
            r"inequivalent arg '(?P<argument>.*)' for (?P<what>\w+ '.*') in vhost '(?P<vhost>.*)':"
        ),
        (
            "{what} exists with another {argument} in the virtual host {vhost}: delete it, or give"
            " the gateway a virtual host of its own"
        ),
    ),
)
_OTHER_TYPE: Final = re.compile(
    r"inequivalent arg 'x-queue-type' for queue '(?P<queue>.*)' in vhost '(?P<vhost>.*)':"
    r".*current is (?:none|(?:the value )?'(?P<type>\w+)')"
)
_SQS: Final[Mapping[str, str]] = {
    "InvalidClientTokenId": "AWS does not know the access key: check the credentials",
    "UnrecognizedClientException": "AWS does not know the access key: check the credentials",
    "SignatureDoesNotMatch": (
        "AWS refuses the secret of the access key: check it (in a URL it is percent-encoded: / is"
        " %2F, + is %2B), and the clock of this machine"
    ),
    "ExpiredToken": "the AWS credentials have expired: renew them",
    "AWS.SimpleQueueService.NonExistentQueue": (
        "a queue does not exist: create the queues that docs/brokers.md names, or check"
        " GATEWAY_SQS_QUEUES and GATEWAY_SQS_REGION"
    ),
    "QueueDoesNotExist": (
        "a queue does not exist: create the queues that docs/brokers.md names, or check"
        " GATEWAY_SQS_QUEUES and GATEWAY_SQS_REGION"
    ),
}
_SQS_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_BOTO: Final[Mapping[str, str]] = {
    "NoCredentialsError": (
        "there are no AWS credentials: put them into GATEWAY_BROKER_URL (sqs://KEY:SECRET@), or"
        " where AWS SDKs look for them"
    ),
    "EndpointConnectionError": "SQS cannot be reached: check GATEWAY_SQS_REGION and the network",
}


def explained(error: BaseException) -> str:
    """What happened, and what to change, in one line without a password."""
    for each in causes_of(error):
        if line := _of_rabbitmq(each) or _of_sqs(each) or _of_the_network(each):
            return line
    return " ".join(str(error).split()) or type(error).__name__


def _of_rabbitmq(error: BaseException) -> str | None:
    said = getattr(error, "reply_text", None)
    if not isinstance(said, str):
        return None
    if found := _OTHER_TYPE.search(said):
        return _of_another_type(found["queue"], found["vhost"], found["type"] or QueueType.CLASSIC)
    for pattern, line in _RABBITMQ:
        if found := pattern.search(said):
            return line.format(**found.groupdict())
    return None


def _of_another_type(queue: str, vhost: str, type_: str) -> str:
    setting = f"set GATEWAY_BROKER_QUEUE_TYPE={type_}, or " if type_ in set(QueueType) else ""
    return (
        f"queue {queue} exists as a {type_} queue: {setting}stop gateways and workers, and delete"
        f" the queue (rabbitmqctl delete_queue -p {vhost} {queue}); the sweeper resumes the uploads"
        " with tasks in it"
    )


def _of_sqs(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        code = str(response.get("Error", {}).get("Code", ""))
        if code in _SQS_DENIED:
            return (
                f"AWS denies {getattr(error, 'operation_name', 'it')}: docs/brokers.md has a policy"
            )
        return _SQS.get(code)
    return _BOTO.get(type(error).__name__)


def _of_the_network(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate cannot be verified ({error.verify_message}): name the"
            " file of its CA (?ssl_ca_certs=/path/of/ca.pem), and use the host name in the"
            " certificate"
        )
    if isinstance(error, ssl.SSLError):
        return (
            "the broker does not speak TLS at this port: check the port and the scheme of the URL"
        )
    if isinstance(error, socket.gaierror):
        return "the broker's host name cannot be resolved: check GATEWAY_BROKER_URL and DNS"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens at the broker's address: start it, or check GATEWAY_BROKER_URL"
    if isinstance(error, OSError) and error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return "there is no route to the broker's host: check GATEWAY_BROKER_URL and the network"
    return None
