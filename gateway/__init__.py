"""The gateway: takes uploads, and delivers them to ChatKitty or hosts them.

HTTP is served in `server`, and `delivery` brings an upload to its place. `auth`, `routes` and
`limits` decide who may do what. `uploads` says what an upload is, `records` keeps it. `store`,
`upstream`, `queue` and `redis` are the borders to other servers. `cli` starts all of it.

Imports go downwards only, in the order of `[tool.importlinter]` in `pyproject.toml`.
"""
