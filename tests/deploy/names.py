"""Which names of settings there are, and which of them hold secrets."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pydantic import RedisDsn, SecretStr

from gateway.settings import PREFIX, Settings


def secret_settings() -> AbstractSet[str]:
    """The variables with secret values: they are given as files."""
    return {
        PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
        if any(kind.__name__ in str(field.annotation) for kind in (SecretStr, RedisDsn))
        or not field.repr
    }


def setting(environment: Mapping[str, str], name: str) -> float:
    """The number that a setting has there; its default if it is not set."""
    return float(environment.get(PREFIX + name, Settings.model_fields[name.lower()].default))
