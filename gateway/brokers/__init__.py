"""Which message brokers can be used, and how Celery and kombu are told of them."""
