"""The draft and tus, as tables of what each version of them reads and writes. Pure."""

from gateway.resumable.dialects.choice import by_name, of_creation, of_resource

__all__ = ["by_name", "of_creation", "of_resource"]
