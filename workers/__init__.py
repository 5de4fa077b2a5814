"""What happens after an answer: Celery tasks, each a thin shell over one step.

`celery` is the application, `tasks` its tasks, `steps` what they do; `sweep` resumes what was left
behind. `runtime` has the clients of one process. `sniff` and the packages below it find out
what a file is by its content.

Workers know `gateway.uploads`, `gateway.records` and the borders, and nothing that serves HTTP.
"""
