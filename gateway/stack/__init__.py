"""The whole gateway on one machine, for `chatkitty-gateway up` and for tests.

`plan` decides which servers are started, and with which settings. `part` is one running server.
`supervisor` starts all, restarts those that die, and stops them in order. `seaweedfs` and `valkey`
start these two programs.

The gateway and its workers are started by their command lines, as an operator would do it; they are
not imported.
"""
