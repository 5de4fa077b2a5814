"""What is used of other libraries beside their public names: all of it that is imported.

`aiohttp` and `redis_py` give such names a public one here, and do what no public way does. ruff
(PLC2701, SLF001) finds any use outside.

Subclasses elsewhere use private attributes that they inherit. `tests/gateway/internals` names each
of those as well, and fails when a new version of a library has one no more.
"""
