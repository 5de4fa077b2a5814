"""Who sends a request: from a bearer token to a principal, or to the reason why there is none.

`build` makes the authenticator that the settings ask for. `verifiers` defines what each verifier
does; `jwt`, `introspection`, `upstream` and `static` are the four kinds. `remote` asks other
servers, `unknown_tokens` limits how often one client can cause that, and `cache` keeps the answers.

In goes a token, out comes a `Principal`, or an error of `gateway.errors`. No token is logged.
"""
