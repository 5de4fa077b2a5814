"""Measurements of the gateway, each a program: `python -m bench` or `python -m bench.NAME`.

With other proxies: `__main__` (CPU), `crowd`, `slow`, `external`, `price` (a whole upload).
Alone: `capacity`, `endurance`, `processes`, `scanner`, `store_calls`, `sweep`, `instructions`.
With misbehaving clients or parts: `greedy`, `loris`, `outage`. For decisions: `metrics`, `quotas`.

`sides` and `deployment` start what is measured, `load` sends, `sink` answers, `chart` draws.
The input is a checkout of the source (`checkout`), the output figures for docs/ and `results/`.
"""
