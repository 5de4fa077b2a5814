"""The `doctor` command: each part of an installation, tried as the gateway and workers use it.

`examination` goes through the parts and reports; `parts` has their names, and there is a module
for each part or group of them. A check returns advice, or raises what is wrong with the remedy.

In come settings and open clients. Nothing here serves requests, and nothing that does imports it.
"""
