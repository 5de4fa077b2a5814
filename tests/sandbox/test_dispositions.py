"""File names as Spring reads them."""

import pytest

from gateway.sandbox.dispositions import filename_of
from gateway.sandbox.failures import Failure


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ("", None),
        ('; filename="a.png"', "a.png"),
        ("; filename=a.png", "a.png"),
        ('; filename=""', ""),
        ("; filename=", ""),
        ('; FileName="a.png"', None),
        ('; filename="a;b.png"; x=y', "a;b.png"),
        ('; filename="a"b.png"', 'a"b.png'),
        ('; filename="a\\"b.png"', 'a"b.png'),
        ('; filename="a\\\\b.png"', "a\\b.png"),
        ('; filename="a\\b.png"', "a\\b.png"),
        ('; filename="my\\ cat.png"', "my\\ cat.png"),
        ('; filename="a%22b.png"', "a%22b.png"),
        ('; filename="=?utf-8?B?xbzDs8WCdy5wbmc=?="', "żółw.png"),
        ('; filename="=?utf-8?B?xbw=?= =?utf-8?B?w7M=?="', "żó"),
        ('; filename="=?UTF-8?Q?=C5=BC_a.png?="', "ż a.png"),
        ('; filename="=?UTF-8?Q?a=Z?="', "a=Z"),
        ('; filename="=?UTF-8?B?YQ?="', "a"),
        ("; filename= a.png\u00a0", " a.png\u00a0"),
        ('; filename="=?UTF-8?X?a?="', "=?UTF-8?X?a?="),
        ("; filename*=UTF-8''%C5%BC.png", "ż.png"),
        ("; filename*=iso-8859-1''%E4.png", "ä.png"),
        ("; filename=\"a.png\"; filename*=UTF-8''%C5%BC.png", "ż.png"),
        ("; filename*=UTF-8''%C5%BC.png; filename=\"a.png\"", "ż.png"),
        ("; filename*=a.png", "a.png"),
    ],
)
def test_the_name_is_read_as_spring_does(parameters: str, filename: str | None) -> None:
    assert filename_of(f'form-data; name="file"{parameters}') == filename


@pytest.mark.parametrize(
    "parameters",
    [
        "; x",
        "; filename*=utf-16''a",
        "; filename*=UTF-8''a(1).png",
        '; filename="=?x?Q?a?="',
        '; filename="=?utf-8?Q?a=ZZ?="',
        '; filename="=?utf-8?B?Y?="',
    ],
)
def test_what_spring_refuses_is_refused(parameters: str) -> None:
    with pytest.raises(Failure):
        filename_of(f'form-data; name="file"{parameters}')
