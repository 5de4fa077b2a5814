"""Which message brokers can be used, and how Celery and kombu are configured for each.

`kinds` recognises a broker by its URL, `options` has the settings for each, `faults` explains its
errors to operators. `amqp` and `sqs` are transports for kombu with repairs, `known` installs them.
`gathering` says which tasks share a message.

Settings are checked here before any client of a broker is imported, since importing takes long.
"""
