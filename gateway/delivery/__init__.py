"""How an admitted upload reaches its destination, and what answer its client gets.

`relay` passes the bytes of an upload on to ChatKitty as they arrive; `forward` does the same with
a request that is not an upload. `external` writes the file to the store, and `form` reads the form
that it accepts. `idempotency` executes a request that is sent several times only once.

The input is an `Admitted` and its bytes. Nothing here knows which server received the request.
"""
