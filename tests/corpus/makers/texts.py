"""Texts in the encodings that people have, and what is text and has a name of its own."""

import csv
import io
import json
import plistlib
import random
import sqlite3
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import gpxpy.gpx
import icalendar
import simplekml
import vobject

_NOTES: dict[str, tuple[str, ...]] = {
    "各位同事：明天下午三点开会，请准时参加。\n谢谢！\n": ("gbk", "gb18030", "hz", "utf-8", "utf-16"),
    "各位同事：明天下午三點開會，請準時參加。\n": ("big5", "big5hkscs", "utf-8-sig"),
    "모임 안내\n내일 오후 세 시에 만나요.\n": ("cp949", "euc-kr", "johab", "utf-16-le"),
    "件名：決定\n月曜日に会いましょう。\n": ("shift-jis", "euc-jp", "iso2022-jp", "cp932"),
    "ёлка, Мир и дружба: привет всем!\n": ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic"),
    "Έγγραφο: καλημέρα σε όλους.\n": ("iso8859-7", "cp1253", "cp737"),
    "שלום לכולם, נתראה מחר\n": ("iso8859-8", "cp1255"),
    "مرحبا بالجميع، أراكم غدا\n": ("iso8859-6", "cp1256"),
    "สวัสดีทุกคน พบกันพรุ่งนี้\n": ("tis-620", "cp874"),
    "Œuvres complètes d’un été à Nîmes\n": ("cp1252", "mac-roman", "iso8859-15"),
    "Zażółć gęślą jaźń, Übersicht\n": ("cp1250", "iso8859-2", "cp852"),
    "Grüße aus Köln, schöne Straße\n": ("latin-1", "cp850", "utf-32", "utf-16-be"),
    "Çok güzel şeyler için teşekkürler ığ\n": ("cp1254", "iso8859-9"),
    "Chúc mừng năm mới\n": ("utf-8", "utf-7"),
}  # fmt: skip

_PLAIN = {
    "mail-from.txt": "from Berlin import 3 boxes, please\n",
    "question.txt": "What does this do?\n\n    def __init__(self):\n        pass\n",
    "important.txt": "#! wichtig: bitte lesen\n",
    "channel.txt": "#!channel rules\nbe nice\n",
    "letter.txt": "Dear Ann,\nyes, no\nwell, ok\n",
    "parcel.txt": "Received: one parcel\nStreet: Long Road 5\n",
    "peaks.csv": "MZ,Intensity\n100.1,5\n200.2,7\n",
    "units.txt": "MZ is a unit here\n",
    "phar.md": "# PHAR\n\nmentions `__HALT_COMPILER();` and `<?php` alike\n",
    "ruby.md": "# Use\n\n```ruby\nrequire 'set'\nclass A\n  def b\n  end\nend\n```\n",
    "python.md": "# Use\n\n```python\nimport os\ndef main():\n    print(os)\n```\n",
    "shell.md": "Run:\n\n```sh\n#!/bin/sh\necho hello\n```\n",
    "markup.md": "<h1>Title</h1>\n\ntext\n",
    "changes.diff": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n",
    "json.txt": '{"a": [1, 2]}\n',
    "table.txt": "a,b,c\n1,2,3\n4,5,6\n",
    "code.txt": "#include <stdio.h>\nint main(void) { return 0; }\n",
    "key.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "settings.ini": "[section]\nkey = value\n",
    "settings.toml": '[section]\nkey = "value"\n',
    "settings.yaml": "section:\n  key: [1, 2]\n",
    "settings.yml": "---\nname: test\n",
    "table.sql": "CREATE TABLE a (b INT);\nINSERT INTO a VALUES (1);\n",
    "style.css": "body { color: red }\n",
    "readme.rst": "Title\n=====\n\n.. code-block:: python\n\n   import os\n",
    "paper.tex": "\\documentclass{article}\n\\begin{document}x\\end{document}\n",
    "server.log": "2026-01-01 00:00:00 INFO started\n\x1b[31mred\x1b[0m\n",
    "lines.ndjson": '{"a": 1}\n{"a": 2}\n',
    "list.m3u8": "#EXTM3U\n#EXTINF:10,\na.ts\n",
    "feed.rss": '<?xml version="1.0"?><rss version="2.0"><channel/></rss>\n',
    "feed.atom": '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"/>\n',
    "page.html": "<!DOCTYPE html>\n<title>x</title>\n<p>Hi\n",
    "page.xhtml": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>\n',
    "key.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "main.c": "#include <stdio.h>\nint main(void) { return 0; }\n",
    "main.cpp": "#include <iostream>\nclass A { public: int b; };\n",
    "head.h": "#ifndef A_H\n#define A_H\nint a(void);\n#endif\n",
    "Main.java": "package a;\nimport java.util.List;\npublic class Main {}\n",
    "main.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(1) }\n',
    "main.rs": 'use std::io;\nfn main() { println!("x"); }\n',
    "main.kt": "package a\nfun main() { println(1) }\n",
    "main.swift": "import Foundation\nfunc a() -> Int { 1 }\n",
    "main.cs": "using System;\nnamespace A { class B { } }\n",
    "main.ts": "export const a: number = 1;\ninterface B { c: string }\n",
    "main.js": "import a from 'b';\nconst c = () => 1;\nfunction d() {}\n",
    "main.rb": "require 'set'\nmodule A\n  class B\n    def c; end\n  end\nend\n",
    "main.py": "import os\nfrom sys import argv\n\ndef main():\n    pass\n\nclass A:\n    pass\n",
    "main.pl": "use strict;\nuse warnings;\nmy $a = 1;\nprint $a;\n",
    "main.lua": "local a = require('b')\nfunction c() end\n",
    "main.tcl": "package require Tk\nproc a {} { puts x }\n",
    "main.hs": "module Main where\nimport Data.List\nmain = print 1\n",
    "main.ml": "let () = print_endline \"x\"\n",
    "main.scala": "package a\nobject B extends App { println(1) }\n",
    "main.sh.txt": "set -e\necho one\n",
    "main.r": "library(stats)\nx <- c(1, 2)\n",
    "main.jl": "using LinearAlgebra\nfunction a(x) x end\n",
    "main.vb": "Imports System\nModule A\nEnd Module\n",
    "main.asm": "section .text\nglobal _start\n",
    "main.f90": "program a\nprint *, 1\nend program\n",
    "main.lisp": "(defun a () 1)\n",
    "main.awk.txt": "BEGIN { print 1 }\n",
    "Makefile.txt": "all:\n\techo x\n",
}  # fmt: skip


def make(folder: Path) -> None:
    """Write all of them; a note in each of its encodings."""
    for number, (note, encodings) in enumerate(_NOTES.items()):
        for encoding in encodings:
            short = note.encode(encoding, "ignore")
            (folder / f"note-{number}-{encoding}.txt").write_bytes(short)
            (folder / f"long-{number}-{encoding}.txt").write_bytes(
                (note * 200).encode(encoding, "ignore")
            )
    for name, text in _PLAIN.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / f"windows-{name}").write_bytes(
            b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
        )
    _tables(folder)
    _people_and_places(folder)
    _mail(folder)
    _data(folder)


def _tables(folder: Path) -> None:
    rows = [["Name", "Straße", "Betrag"], *([f"N{n}", "Weg 5", f"{n},50"] for n in range(300))]
    for name, delimiter, encoding in (
        ("comma.csv", ",", "utf-8"),
        ("excel.csv", ";", "cp1252"),
        ("marked.csv", ",", "utf-8-sig"),
        ("wide.csv", "\t", "utf-16"),
        ("tabs.tsv", "\t", "utf-8"),
    ):
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerows(rows)
        (folder / name).write_bytes(text.getvalue().encode(encoding))


def _people_and_places(folder: Path) -> None:
    card = vobject.vCard()
    card.add("fn").value = "Zoë Müller"
    card.add("n").value = vobject.vcard.Name(family="Müller", given="Zoë")
    card.add("tel").value = "+49 221 5"
    (folder / "person.vcf").write_text(card.serialize(), encoding="utf-8", newline="")
    (folder / "people.vcf").write_text(card.serialize() * 30, encoding="utf-8", newline="")
    calendar, event = icalendar.Calendar(), icalendar.Event()
    calendar.add("prodid", "-//corpus//")
    calendar.add("version", "2.0")
    event.add("summary", "Treffen")
    calendar.add_component(event)
    (folder / "meeting.ics").write_bytes(calendar.to_ical())
    tour, track = gpxpy.gpx.GPX(), gpxpy.gpx.GPXTrack()
    segment = gpxpy.gpx.GPXTrackSegment(
        [gpxpy.gpx.GPXTrackPoint(50 + n / 1000, 7, elevation=n) for n in range(200)]
    )
    track.segments.append(segment)
    tour.tracks.append(track)
    (folder / "tour.gpx").write_text(tour.to_xml())
    places = simplekml.Kml()
    places.newpoint(name="Köln", coords=[(7, 51)])
    places.save(str(folder / "places.kml"))
    places.savekmz(str(folder / "places.kmz"))


def _mail(folder: Path) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "Grüße"
    mail["Date"], mail["Message-ID"] = "Thu, 01 Jan 2026 00:00:00 +0000", "<1@example.com>"
    mail.set_content("Hallo\n")
    (folder / "plain.eml").write_bytes(mail.as_bytes())
    mail.add_attachment(b"%PDF-1.4\n", maintype="application", subtype="pdf", filename="a.pdf")
    mail.set_boundary("=-boundary")
    (folder / "holding.eml").write_bytes(mail.as_bytes())
    (folder / "received.eml").write_bytes(
        b"Return-Path: <a@example.com>\r\nReceived: from a by b; Thu, 1 Jan 2026\r\n"
        + mail.as_bytes()
    )


def _data(folder: Path) -> None:
    chance = random.Random(18)
    rows = [{"id": number, "wert": chance.random()} for number in range(2000)]
    point = {"type": "FeatureCollection", "features": []}
    for name, value in {
        "small.json": rows[:2],
        "big.json": rows,
        "map.geojson": point,
        "book.ipynb": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
        "link.jsonld": {"@context": "https://schema.org", "@type": "Person"},
        "site.webmanifest": {"name": "x"},
    }.items():
        (folder / name).write_text(json.dumps(value))
        (folder / f"indented-{name}").write_text(json.dumps(value, indent=2) + "\n")
    (folder / "marked.json").write_text(json.dumps(rows), encoding="utf-8-sig")
    for form in (plistlib.FMT_XML, plistlib.FMT_BINARY):
        (folder / f"{form.name.lower()}.plist").write_bytes(plistlib.dumps({"a": [1]}, fmt=form))
    with sqlite3.connect(folder / "data.sqlite") as database:
        database.execute("CREATE TABLE a (b)")
    database.close()
    for size in (100, 600, 5000, 70_000):
        (folder / f"encrypted-{size}.bin").write_bytes(chance.randbytes(size))
