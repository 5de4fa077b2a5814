"""What is decided, asked and made durable before a request's body is let in.

`admit` has the caller, the route and the limits; `charge` takes from the caller's quota;
`pictures` and `deletions` ask ChatKitty what only it knows. `body` then reads the body, and turns
silence, slowness and a broken connection into errors of ours.

Used by the handlers and by the fast engine. Nothing here answers a request.
"""
