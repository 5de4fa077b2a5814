"""Who sends a request: from a bearer token to a principal, or to the reason why there is none.

`build` makes the authenticator that the settings ask for. `verifiers` defines what each verifier
does; `jwt`, `introspection`, `upstream` and `static` are the four kinds. `remote` and `crowd` keep
other servers from being asked too often, `cache` keeps what they said.

In goes a token, out comes a `Principal`, or an error of `gateway.errors`. No token is logged.
"""
