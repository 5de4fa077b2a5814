"""Reads a request's head: its target, and one module for each header that decides something.

`headers` says which headers are passed on, in either direction.

Pure: the input is strings and settings, the output values or our own errors. No module here does
I/O or knows a connection.
"""
