"""Proxies that the gateway is compared with, each a program that `bench.sides` starts.

`aiohttp_relay` and `starlette_relay` are what their frameworks suggest; nginx needs no module.
"""
