"""Set-ups that are broken, each in one way, as operators break them; a module for each part."""

from typing import Final

from tests.doctor.cases.agreement import AGREEMENT
from tests.doctor.cases.broker import BROKER
from tests.doctor.cases.host import HOST_CASES
from tests.doctor.cases.redis import REDIS
from tests.doctor.cases.store import STORE
from tests.doctor.cases.upstream import UPSTREAM
from tests.doctor.cases.verifiers import VERIFIERS

CASES: Final = [*STORE, *REDIS, *BROKER, *AGREEMENT, *UPSTREAM, *VERIFIERS, *HOST_CASES]
