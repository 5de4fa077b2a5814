"""Settings without a server behind them."""

from typing import Any

from cryptography.fernet import Fernet

from gateway.settings import Settings


def settings(**members: Any) -> Settings:
    return Settings(secret_key=(Fernet.generate_key().decode(),), s3_bucket="uploads", **members)
