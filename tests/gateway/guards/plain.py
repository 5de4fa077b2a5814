"""A Celery application as it comes, but for the settings that have it go on trying."""

import os

from celery import Celery

app = Celery("plain", broker=os.environ.get("PLAIN_BROKER_URL"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_channel_error_retry=True,
)
