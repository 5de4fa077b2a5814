"""The `doctor` command: tries each part of an installation as the gateway and workers use it.

`examination` checks the parts and reports; `parts` has their names, and there is a module for each
part or group of them. A check returns advice, or raises an error that says what is wrong and what
to do.

The input is settings and open clients. Nothing here serves requests, and no server imports it.
"""
