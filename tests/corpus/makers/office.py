"""Office documents, books and PDF, by the libraries that servers and scripts make them with."""

import random
from pathlib import Path

import docx
import openpyxl
import pptx
import xlsxwriter
import xlwt
from ebooklib import epub
from odf.draw import Frame, Page
from odf.opendocument import (
    OpenDocumentDrawing,
    OpenDocumentPresentation,
    OpenDocumentSpreadsheet,
    OpenDocumentText,
)
from odf.style import MasterPage, PageLayout
from odf.table import Table, TableCell, TableRow
from odf.text import P
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

_RTF = r"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}\f0\fs24 Gr\'fc\'dfe\par}"


def make(folder: Path) -> None:
    """Write some of each kind, small and large."""
    chance = random.Random(18)
    for rows in (3, 9000):
        _workbooks(folder, rows, chance)
    for pages in (1, 40):
        _documents(folder, pages)
        _slides(folder, pages)
        _open_documents(folder, pages)
        _pdf(folder, pages)
    _book(folder)
    (folder / "letter.rtf").write_text(_RTF)


def _workbooks(folder: Path, rows: int, chance: random.Random) -> None:
    cells = [[number, f"Zeile {number}", chance.random()] for number in range(rows)]
    book = openpyxl.Workbook()
    lean = openpyxl.Workbook(write_only=True)
    for sheet in (book.active, lean.create_sheet()):
        for row in cells:
            sheet.append(row)
    book.save(folder / f"openpyxl-{rows}.xlsx")
    lean.save(folder / f"openpyxl-lean-{rows}.xlsx")
    book.template = True
    book.save(folder / f"openpyxl-{rows}.xltx")
    for name, options in {
        "plain": {},
        "lean": {"constant_memory": True},
        "memory": {"in_memory": True},
        "zip64": {"use_zip64": True},
    }.items():
        with xlsxwriter.Workbook(folder / f"xlsxwriter-{name}-{rows}.xlsx", options) as written:
            if name == "zip64":
                written.use_zip64()
            sheet = written.add_worksheet()
            for number, row in enumerate(cells):
                sheet.write_row(number, 0, row)
    old = xlwt.Workbook()
    page = old.add_sheet("Blatt")
    for number, row in enumerate(cells):
        for column, value in enumerate(row):
            page.write(number, column, value)
    old.save(str(folder / f"xlwt-{rows}.xls"))


def _documents(folder: Path, pages: int) -> None:
    document = docx.Document()
    document.add_heading("Bericht", 0)
    for number in range(pages * 10):
        document.add_paragraph(f"Absatz {number}: żółw, 猫, 😀")
    document.add_table(3, 3)
    document.save(str(folder / f"python-docx-{pages}.docx"))


def _slides(folder: Path, pages: int) -> None:
    slides = pptx.Presentation()
    for number in range(pages):
        slide = slides.slides.add_slide(slides.slide_layouts[0])
        slide.shapes.title.text = f"Folie {number}"
    slides.save(str(folder / f"python-pptx-{pages}.pptx"))


def _open_documents(folder: Path, pages: int) -> None:
    text = OpenDocumentText()
    sheet = OpenDocumentSpreadsheet()
    table = Table(name="Blatt")
    for number in range(pages):
        text.text.addElement(P(text=f"Absatz {number}"))
        row, cell = TableRow(), TableCell()
        cell.addElement(P(text=str(number)))
        row.addElement(cell)
        table.addElement(row)
    sheet.spreadsheet.addElement(table)
    text.save(str(folder / f"odfpy-{pages}.odt"))
    sheet.save(str(folder / f"odfpy-{pages}.ods"))
    for kind, suffix in ((OpenDocumentPresentation, "odp"), (OpenDocumentDrawing, "odg")):
        drawn = kind()
        layout = PageLayout(name="Layout")
        drawn.automaticstyles.addElement(layout)
        master = MasterPage(name="Master", pagelayoutname=layout)
        drawn.masterstyles.addElement(master)
        body = drawn.presentation if suffix == "odp" else drawn.drawing
        for number in range(pages):
            page = Page(masterpagename=master, name=f"Seite {number}")
            page.addElement(Frame(width="5cm", height="5cm", x="1cm", y="1cm"))
            body.addElement(page)
        drawn.save(str(folder / f"odfpy-{pages}.{suffix}"))


def _pdf(folder: Path, pages: int) -> None:
    path = folder / f"reportlab-{pages}.pdf"
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    for number in range(pages):
        canvas.drawString(100, 700, f"Seite {number}")
        canvas.showPage()
    canvas.save()
    for name in ("copied", "locked", "holding"):
        writer = PdfWriter()
        writer.append(PdfReader(path))
        if name == "locked":
            writer.encrypt("secret", algorithm="AES-256")
        elif name == "holding":
            writer.add_attachment("note.txt", b"note" * 100)
        writer.write(folder / f"pypdf-{name}-{pages}.pdf")


def _book(folder: Path) -> None:
    book = epub.EpubBook()
    book.set_identifier("18")
    book.set_title("Buch")
    chapter = epub.EpubHtml(title="Eins", file_name="one.xhtml")
    chapter.set_content("<h1>Eins</h1><p>Es war einmal</p>")
    book.add_item(chapter)
    book.toc = (chapter,)
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", chapter]
    epub.write_epub(str(folder / "ebooklib.epub"), book)
