"""Pages for browsers: the operator's page on the admin port, and the page to try uploads with.

`installation` has the operator's page, which is behind `GATEWAY_ADMIN_TOKEN`: `guard` decides who
may ask, and the other modules answer it in JSON. What they show comes from the bucket and Redis, as
the command line has it, and no request reads more than a bounded stretch. Requests may reach any
process, so none of them keeps anything for the next one: a job on many uploads is many requests,
and its page counts.

`trial` has the page to try uploads with. `assets` and `serving` have the files of both.
"""

from gateway.server.pages.installation import install
from gateway.server.pages.trial import name_process, trial_paths

__all__ = ["install", "name_process", "trial_paths"]
