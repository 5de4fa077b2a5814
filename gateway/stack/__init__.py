"""The whole gateway on one machine, for `chatkitty-gateway up` and for tests.

`plan` decides which servers there are, and their settings. `part` is one running server,
`supervisor` starts all, starts them again when they die, and ends them in order. `seaweedfs`
and `valkey` know two programs.

The gateway and its workers are started by command line, as an operator would: none is imported.
"""
