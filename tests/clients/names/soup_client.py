"""Sends files by libsoup 3: URL FOLDER NAME..."""

# mypy: disable-error-code="import-not-found, import-untyped"

import sys
from pathlib import Path

import gi

gi.require_version("Soup", "3.0")
from gi.repository import GLib, Soup  # noqa: E402

url, folder, *names = sys.argv[1:]
for name in names:
    form = Soup.Multipart.new("multipart/form-data")
    content = GLib.Bytes.new((Path(folder) / name).read_bytes())
    form.append_form_file("file", name, "image/png", content)
    message = Soup.Message.new_from_multipart(url, form)
    message.get_request_headers().append("Authorization", "Bearer TOKEN")
    Soup.Session.new().send_and_read(message, None)
