"""The secrets of an embedded stack: made once, and kept in its data directory for its owner."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StackSecrets:
    """The gateway's key, the store's keys, the tokens of two subjects, and the operator's."""

    secret_key: str
    s3_access_key_id: str
    s3_secret_access_key: str
    token: str
    other_token: str
    admin_token: str

    @classmethod
    def of(cls, data_dir: Path) -> "StackSecrets":
        """The secrets in the directory, or new ones."""
        file = data_dir / "secrets.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        if missing := {field.name for field in fields(cls)} - kept.keys():  # of an earlier version
            new = asdict(cls._new())
            kept |= {name: new[name] for name in missing}
            _write_privately(file, json.dumps(kept))
        return cls(**{field.name: kept[field.name] for field in fields(cls)})

    @classmethod
    def _new(cls) -> "StackSecrets":
        return cls(
            secret_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            s3_access_key_id=secrets.token_hex(8),
            s3_secret_access_key=secrets.token_urlsafe(24),
            token=secrets.token_urlsafe(24),
            other_token=secrets.token_urlsafe(24),
            admin_token=secrets.token_urlsafe(24),
        )


def _write_privately(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    unfinished.replace(file)
