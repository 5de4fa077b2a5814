"""What is no program passes, whatever its first bytes or words are, on a real libmagic."""

import asyncio
import os
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uploads.policy import DENIED, Accepted, Sniffed, judge
from gateway.uploads.record import Terms
from workers.signatures import types_of_head, types_of_tail
from workers.sniff import Sniffer

QUICK, AT_LENGTH = 1500, int(os.environ.get("RANDOM_FILES", "5000"))
AT_ONCE = 10
"""Files of which libmagic looks at one while the signatures of another are looked for."""

NOTES = {
    "a city": "from Berlin import 3 boxes, please\n",
    "a question": "What does this do?\n\ndef __init__(self):\n    pass\n",
    "a README": "# A library\n\n```python\nimport os\n\ndef f(self):\n    return 1\n```\n",
    "a source": "import os\n\n\nclass A:\n    def f(self):\n        return os.name\n",
    "Ruby": "require 'set'\n\nmodule A\n  def f\n    1\n  end\nend\n",
    "Perl": "package A;\nuse strict;\nuse warnings;\nsub f { 1 }\n1;\n",
    "Lua": "local a = require('a')\nfunction f() return 1 end\n",
    "C": "#include <stdio.h>\n\nint main(void) {\n    return 0;\n}\n",
    "an initial": "MZ says hello, and is here until Friday. " * 3,
    "a heading": "#! wichtig: morgen\n",
    "a channel": "#!channel rules\n",
    "a stub": "A PHAR ends its stub with `__HALT_COMPILER();` and a manifest.\n" * 2,
    "a tutorial": "# PHP\n\nWrite `<?php echo 1; ?>` into a file.\n\n<?php phpinfo();\n",
    "a page about PHP": "<html><body><pre>&lt;?php</pre><?php echo 1; ?></body></html>",
    "a mention": "@echo who is offline today?\nI am.\n",
    "another mention": "@set theory group: we meet at 5\nBring a book.\n",
    "a game": "dex\nint\nstr\n",
    "an archive's mark": "!<arch>\nis how a library of Unix begins.\n",
    "a crate": "Cr24 and Cr25 are crates.\n",
    "a parcel": "Received: one parcel\nThank you!\n",
    "a letter": "Dear Ann,\nyes, no\nwell, ok\n",
    "notes in brackets": "[1] see page 3\n[2] see page 4\n",
    "one long list": "[" + "a, " * 10_000,
    "a picture in a text": "Draw it so:\n\n<svg width='1'></svg>\n\n<html>\n",
}  # fmt: skip

LETTERS = {
    "gbk": "各位同事请查收附件谢谢会议通知重要年月日北京上海",
    "big5": "各位同事請查收附件謝謝會議通知重要年月日台北高雄",
    "gb18030": "各位同事请查收附件谢谢会议通知重要年月日北京上海",
    "shift_jis": "件名月曜日決定お知らせありがとうございます東京大阪会議",
    "euc_jp": "件名月曜日決定お知らせありがとうございます東京大阪会議",
    "iso2022_jp": "件名月曜日決定お知らせありがとうございます東京大阪会議",
    "cp949": "모임안내감사합니다회의자료첨부파일서울부산뷁똠펲",
    "euc_kr": "모임안내감사합니다회의자료첨부파일서울부산",
    "johab": "모임안내감사합니다회의자료첨부파일서울부산",
    "cp1251": "ёлкапроверкасвязиЗдравствуйтевложениеЯэъ",
    "koi8_r": "ёлкапроверкасвязиЗдравствуйтевложениеЯэъ",
    "cp866": "МирёлкапроверкасвязиЗдравствуйтевложениеЯэъ",
    "iso8859_7": "ΈγγραφοΚαλημέρασυνάντησηΑθήναΩω",
    "cp1253": "ΈγγραφοΚαλημέρασυνάντησηΑθήναΩω",
    "cp1252": "ŒuvrescomplètesgrüßeÄÖÜßëÿéàç",
    "mac_roman": "ŒuvrescomplètesgrüßeÄÖÜßëÿéàç",
    "cp437": "grüßeÄÖÜßëÿéàçîì",
    "cp1255": "שלוםתודהפגישה",
    "cp1256": "السلامعليكممرفق",
    "tis_620": "สวัสดีขอบคุณประชุม",
    "utf_16": "각位Хроника件名",
    "utf_16_le": "모임안내各位同事件名月曜日",
    "utf_16_be": "모임안내各位同事件名月曜日",
}


async def sniff(sniffer: Sniffer, data: bytes) -> Sniffed:
    async def read_range(start: int, length: int) -> bytes:
        return data[start : start + length]

    return await sniffer.sniff(len(data), read_range)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
async def test_a_note_about_programs_is_a_note(sniffer: Sniffer, note: str) -> None:
    sniffed = await sniff(sniffer, note.encode())
    assert sniffed.content_type == ("text/html" if note.startswith("<html>") else "text/plain")
    assert judge(Terms(), sniffed, "text/markdown") == Accepted()


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("encoding", LETTERS)
async def test_text_in_any_encoding_is_text_or_unknown(sniffer: Sniffer, encoding: str) -> None:
    chance = Random(encoding)
    letters = LETTERS[encoding]
    starts = [letters, *letters, *map("".join, product(letters[:6], letters))]
    for start in starts:
        rest = "".join(chance.choices(letters + "  .\n", k=chance.randint(0, 40)))
        sniffed = await sniff(sniffer, (start + rest).encode(encoding))
        assert sniffed.content_type in ("text/plain", "application/octet-stream"), start + rest
        assert not sniffed.alternatives


async def taken_for_more(sniffer: Sniffer, seed: int, count: int) -> list[tuple[str, str]]:
    """What random files are taken for besides nothing; raises where one is denied."""
    chance = Random(seed)
    found = []
    for _ in range(count // AT_ONCE):
        batch = [chance.randbytes(chance.randint(1, 20_000)) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*(sniff(sniffer, data) for data in batch))
        for data, sniffed in zip(batch, answers, strict=True):
            assert judge(Terms(), sniffed, None) == Accepted(), (data[:32].hex(), sniffed)
            if sniffed.content_type not in ("text/plain", "application/octet-stream"):
                found.append((data[:16].hex(), sniffed.content_type))
    return found


@pytest.mark.asyncio(loop_scope="module")
async def test_random_files_are_nothing(sniffer: Sniffer) -> None:
    assert len(await taken_for_more(sniffer, seed=18, count=QUICK)) <= 2


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(900)
async def test_of_many_random_files_none_is_denied_and_few_are_anything(sniffer: Sniffer) -> None:
    found = await taken_for_more(sniffer, seed=19, count=AT_LENGTH)
    assert len(found) < AT_LENGTH / 2500, found


@pytest.mark.parametrize("magic", [b"MZ", b"#!", b"\xca\xfe\xba\xbe", b"ER", b"@"])
def test_two_bytes_and_chance_make_no_program(magic: bytes) -> None:
    for seed in range(500):
        noise = Random(seed).randbytes(seed)
        assert not DENIED_SET.intersection(types_of_head(magic + noise, 1 << 30)), seed


DENIED_SET = frozenset(DENIED)
BEGINNINGS = ["MZ", "#!", "dex\n", "Cr24", "xar!", "ER", "@echo", "__HALT_COMPILER();", "P", ""]


@given(
    st.sampled_from(BEGINNINGS),
    st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=300),
)
def test_no_words_make_a_compiled_program(start: str, text: str) -> None:
    data = f"{start} {text}".encode()
    assert not DENIED_SET.intersection(types_of_head(data), types_of_tail(b"", data))
