"""What happens to an upload before a view sees it."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler


class LimitedUploadHandler(TemporaryFileUploadHandler):
    """Streams an upload to a temporary file, but stores no more than UPLOAD_MAX_BYTES of it.

    The rest is read and dropped, so that the form's other fields and files arrive. The file tells
    its true size, by which `evaluation.clips.ingest` turns it away with a message.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if start + len(raw_data) > settings.UPLOAD_MAX_BYTES:
            return None
        return super().receive_data_chunk(raw_data, start)
