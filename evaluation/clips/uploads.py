"""How uploads are handled before a view sees them."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class LimitedUploadHandler(TemporaryFileUploadHandler):
    """Streams an upload to a temporary file but stores at most UPLOAD_MAX_BYTES of it.

    The rest is read and dropped, so that the form's other fields and files arrive. The file reports its true
    size, so `evaluation.clips.ingest` can refuse it with a message.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if start + len(raw_data) > settings.UPLOAD_MAX_BYTES:
            return None
        return super().receive_data_chunk(raw_data, start)
