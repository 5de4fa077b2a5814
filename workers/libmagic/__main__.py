"""`python -m workers.libmagic`: whether a worker would start, for who may not import one."""

import asyncio
import sys

from gateway.errors import ConfigurationError
from workers.libmagic.process import check

try:
    asyncio.run(check())
except (ConfigurationError, OSError) as error:
    sys.stdout.write(str(error))
    sys.exit(1)
