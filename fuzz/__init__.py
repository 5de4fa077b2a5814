"""Feeds random bytes to the parsers of foreign input, until one of them breaks a promise.

`targets` has the parsers and their promises, `oracles` other parsers to compare with, `feeding`
cuts bodies into chunks, `media` runs the readers of media, `one` runs a single target.

The input is the `corpus` and a time; the output is any bytes that broke a promise.
"""
