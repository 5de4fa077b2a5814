"""The draft and tus, as tables of what each version of them reads and writes. Pure.

`choice` finds the dialect of a request, `draft` and `tus` are the two families. `items` reads
structured fields, `metadata` the metadata of tus.

The input is the head of a request, the output what it asks for, and the fields of its answer.
"""

from gateway.resumable.dialects.choice import by_name, of_creation, of_resource

__all__ = ["by_name", "of_creation", "of_resource"]
