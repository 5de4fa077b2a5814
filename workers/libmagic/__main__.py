"""`python -m workers.libmagic`: whether a worker would start, and how it confines libmagic."""

import asyncio
import sys

from gateway.errors import ConfigurationError
from workers.libmagic.process import check

try:
    sys.stdout.write(asyncio.run(check()))
except (ConfigurationError, OSError) as error:
    sys.stdout.write(str(error))
    sys.exit(1)
