"""HTTP, as clients and operators reach it: from a socket to an answer.

On top, one module each: `run` (sockets and signals), `app` (URLs), `supervisor` (processes),
`services` (what all handlers share), `middleware`, `tracing`, `metrics`, `fitness`.
Below them are the rooms: `handlers` and `fast` answer requests, `admission` decides before a body
is asked for, `connection` holds the client's connection, `fields` reads heads.

The packages next to this one parse, decide and store. None of them imports this one.
"""
