"""Types that the first bytes give away, which libmagic does not know or knows by another name.

Sources: RFC 4867, 3558, 4788, 5188, 6884, 3952, 4348, 4298, 7655 and 3625 and IANA's media types
(voices); SILK's SDK and Tencent's clients, which put a byte before it; Apple's Core Audio Format
1.0; WavPack 5's and TTA's descriptions of their formats; ITU-R BS.2088 (BW64); Sony's and Philips'
DSF and DSDIFF; Microsoft's DDS_HEADER; Dolby's MLP; freedesktop.org's shared-mime-info for names
that IANA lacks.
"""

import re
from typing import Final

_MARKS: Final = (
    (rb"#!AMR(?:_MC1\.0)?\n", "audio/amr"),
    (rb"#!AMR-WB(?:_MC1\.0)?\n", "audio/amr-wb"),
    (rb"#!EVRC\n", "audio/evrc"),
    (rb"#!EVRC-?B\n", "audio/evrcb"),
    (rb"#!(?:EVC|EVRC-?)WB\n", "audio/evrcwb"),
    (rb"#!EVRC-?NW\n", "audio/evrcnw"),
    (rb"#!SMV\n", "audio/smv"),
    (rb"#!iLBC[23]0\n", "audio/ilbc"),
    (rb"#!VMR-WB(?:_MC1\.0)?\n", "audio/vmr-wb"),
    (rb"#!BV16\n", "audio/bv16"),
    (rb"#!BV32\n", "audio/bv32"),
    (rb"#!G7110[AM]\n", "audio/g711-0"),
    (rb"\x02?#!SILK_V\d", "audio/silk"),
    (rb"RIFF.{4}QLCM", "audio/qcelp"),
    (rb"BW64\xff\xff\xff\xffWAVE", "audio/wav"),
    (rb"DSD \x1c\x00{7}", "audio/x-dsf"),
    (rb"FRM8.{8}DSD ", "audio/x-dff"),
    (rb"caff\x00\x01\x00\x00", "audio/x-caf"),
    (rb"wvpk.{4}[\x02-\x10]\x04", "audio/x-wavpack"),
    (rb"TTA[12][\x01-\x03]\x00", "audio/x-tta"),
    (rb"DTSHDHDR\x00", "audio/vnd.dts.hd"),
    (rb".{4}\xf8\x72\x6f[\xba\xbb]", "audio/vnd.dolby.mlp"),
    (rb"Creative Voice File\x1a", "audio/x-voc"),
    (rb"fLaC[\x00\x80]\x00\x00\x22", "audio/flac"),
    (rb"MAC .[\x0e\x0f]", "audio/x-ape"),
    (rb"MPCKSH|MP\+[\x07\x17\x27]", "audio/x-musepack"),
    (rb"DDS \x7c\x00\x00\x00", "image/x-dds"),
)
_ANY: Final = re.compile(b"|".join(b"(%b)" % pattern for pattern, _ in _MARKS), re.DOTALL)
"""A group for each, without groups in it."""


def marked_type(head: bytes) -> str | None:
    """The type by the first bytes only."""
    found = _ANY.match(head)
    return None if found is None or found.lastindex is None else _MARKS[found.lastindex - 1][1]
