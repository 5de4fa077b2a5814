"""What is decided, looked up and made durable before a request's body is read.

`admit` checks the caller of an upload, the route and the limits; `passing` decides about any other
request to ChatKitty; `charge` charges the caller's quota;
`pictures` and `deletions` ask ChatKitty what only it knows. `body` then reads the body, and turns
silence, slowness and a broken connection into errors of ours.

Used by the handlers and by the fast engine. Nothing here answers a request.
"""
