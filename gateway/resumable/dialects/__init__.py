"""The draft and tus: how each version reads requests and writes answers. Pure.

`choice` finds the dialect of a request; `draft` and `tus` are the two families. `items` reads
structured fields, `metadata` reads the metadata of tus.

The input is the head of a request, the output its meaning, and the headers of its answer.
"""

from gateway.resumable.dialects.choice import by_name, of_creation, of_resource

__all__ = ["by_name", "of_creation", "of_resource"]
