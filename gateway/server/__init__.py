"""HTTP, as clients and operators reach it: from a socket to an answer.

On top, one module each: `run` (sockets and signals), `app` (URLs), `supervisor` (processes),
`services` (what all handlers work with), `middleware`, `tracing`, `metrics`, `fitness`.
Below them are the rooms: `handlers` and `fast` answer requests, `admission` decides before a body
is asked for, `connection` holds the client's connection, `fields` reads heads.

Parsing, deciding and storing are done in the packages beside this one. Nothing there imports it.
"""
