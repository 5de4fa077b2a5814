"""Uploads while parts die, freeze, or lose data; then an audit of every upload.

`uploads` and `plan` decide by a seed what happens; `stack` starts the gateway, `load` is its
clients, `inject` causes the faults, and `front` delays the store. `settle` and `look` collect the
facts (`facts`), `audit` judges them, `report` prints. `answers` is what a client does next.

`brokers` is the same for one broker without a supervisor; `servers` is shared with the tests.
The input is a number of uploads, a seed and kinds of faults; the output is a verdict.
"""
