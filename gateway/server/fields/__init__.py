"""A request's head, read: its target, and one module for each header that decides something.

`headers` says which headers are passed on, in either direction.

Pure: what comes in are strings and settings, what goes out are values or errors of ours. No module
here does I/O or knows a connection.
"""
