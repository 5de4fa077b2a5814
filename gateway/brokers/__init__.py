"""What kombu's transports do wrong is put right here: each with the issue that tells of it."""
