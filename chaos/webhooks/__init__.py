"""Uploads of every end while the receiver of their webhooks fails in every way, and parts die.

`plan` decides what the receiver does when, and how uploads end; `load` sends those that end badly.
`receiver` has the receivers, `look` collects what the bucket has in the end, `audit` judges: every
end is delivered, under an id of its own, in an order that a receiver can restore. `run` puts them
together, with the stack, the clients and the faults of `chaos`.
"""
