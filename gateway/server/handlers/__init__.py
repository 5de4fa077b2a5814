"""One handler of aiohttp's for each kind of request.

Uploads, requests that pass through, the upload resource, hosted files, and the process's health;
`streaming` passes an answer on. A handler asks `admission` first, has the request delivered, and
makes an answer of the result. What it raises is answered by `gateway.server.middleware`.

What they share is in `gateway.server.services`.
"""
