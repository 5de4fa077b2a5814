"""A client's connection: from its first byte to its last.

Three classes, each a subclass of the one before: `timeouts` limits how long a client is waited for,
`strict` refuses what servers read differently, `turns` gives aiohttp one whole request at a time.
`linger` and `drain` end connections without losing an answer.

What a request asks for is not known here: no services, no store, no upstream.
"""
