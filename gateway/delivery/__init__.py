"""How an admitted upload reaches its place, and what its client is answered.

`relay` passes the bytes of an upload on to ChatKitty as they come; `forward` does it with a request
that is no upload. `external` writes the file to the store. `form` is the form that it
takes, `idempotency` carries out once what is sent several times.

In comes an `Admitted` and its bytes. Nothing here knows the server that the request came to.
"""
