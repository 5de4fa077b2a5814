"""What Schemathesis needs to know of the document's own media types: their content is any bytes."""

import schemathesis

from gateway.resumable.dialects import draft, tus

schemathesis.serializer.alias([draft.PARTIAL, tus.CONTENT], "application/octet-stream")
