"""The operator's page: on the admin port, behind `GATEWAY_ADMIN_TOKEN`.

`guard` decides who may ask, `assets` has the page itself, and the other modules answer it in JSON.
What they show comes from the bucket and Redis, as the command line has it, and no request reads
more than a bounded stretch. Requests may reach any process, so none of them keeps anything for the
next one: a job on many uploads is many requests, and its page counts.
"""

from gateway.server.pages.installation import install

__all__ = ["install"]
