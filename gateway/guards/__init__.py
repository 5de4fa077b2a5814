"""Guards against faults of Celery, kombu, py-amqp and redis-py: all of them, in one place.

Each guard is a small class: its docstring names the fault, a version that has it, and where it is
reported. Each has a test below `tests/gateway/guards` that runs the library's own code and fails
once the fault is gone: then the guard can be deleted.

| guard | without it |
| --- | --- |
| `redis_py.CancellableSending` | a loop that asks Redis survives its cancellation |
| `redis_py.AnswersInOrder` | a late answer is taken for the answer to the next command |
| `kombu_redis.GivenUpConnection` | a Redis that restarts ends a worker with tasks in hand |
| `kombu_redis.PrefixedQueues` | a queue below a prefix counts as missing, and its length as 0 |
| `kombu_redis.KnownErrors` | a Redis that goes away as a worker starts ends it |
| `kombu_sqs.RemadeQueues` | nothing is sent to a deleted queue until the sender starts again |
| `py_amqp.AnswersInTime` | a RabbitMQ that has an alarm, or stands still, hangs its caller |
| `workers.celery_guards.Consumer` | an error that is not the connection's ends a worker |
| `workers.celery_guards.Blueprint` | with quorum queues a worker declares 28 more of them |
| `workers.celery_guards.Dispatcher` | a worker that sends events hangs with its broker |
| `workers.celery_guards.Scheduler` | an error of the broker ends beat |

The last four need Celery's worker, which gateways do not import, so they are in `workers`. Each
module here imports only its own library.

Two things that look like guards are elsewhere, because they do more: `gateway.redis.replies`
distinguishes a Redis that has become a replica from one that refuses a write, and
`gateway.brokers.sqs` replaces the way in which kombu polls SQS.
"""
