"""Recognition never raises, and knows the documented shapes only."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.endpoints import EndpointKind, Generation, recognise

SHAPES = {
    "channels/{}/messages": EndpointKind.CHANNEL_MESSAGE,
    "threads/{}/messages": EndpointKind.THREAD_MESSAGE,
    "users/{}/display-picture": EndpointKind.DISPLAY_PICTURE,
    "imports/channels/{}/members": EndpointKind.IMPORT,
}
IDS = st.integers(0, 2**63 - 1)
PREFIXES = st.sampled_from(list(Generation))
WORDS = ["v1", "channels", "threads", "users", "messages", "display-picture", "imports", "members"]
PIECES = st.sampled_from([*WORDS, "applications", "1", "702", "", "/", "%2F", ".."]) | st.text()


@given(PREFIXES, st.none() | IDS, st.sampled_from(sorted(SHAPES)), IDS)
def test_each_documented_shape_is_recognised_with_any_id(
    generation: Generation, application: int | None, shape: str, number: int
) -> None:
    nested = "" if application is None else f"/applications/{application}"
    path = f"{generation.prefix}{nested}/{shape.format(number)}"
    endpoint = recognise(path)
    assert endpoint is not None
    assert (endpoint.kind, endpoint.resource_id) == (SHAPES[shape], number)
    assert (endpoint.generation, endpoint.path) == (generation, path)


@given(st.text() | st.lists(PIECES).map(lambda pieces: "/" + "/".join(pieces)))
def test_whatever_is_recognised_has_a_documented_shape(path: str) -> None:
    endpoint = recognise(path)
    if endpoint is None:
        return
    elements = path.removeprefix(endpoint.generation.prefix).split("/")[1:]
    if elements[0] == "applications":
        elements = elements[2:]
    shape = "/".join("{}" if element.isdecimal() else element for element in elements)
    assert shape in {*SHAPES, "imports/users", "imports/channels", "imports/messages"}


@given(PREFIXES, st.sampled_from(sorted(SHAPES)), IDS, st.data())
def test_a_path_with_one_odd_character_in_it_is_not_recognised(
    generation: Generation, shape: str, number: int, data: st.DataObject
) -> None:
    path = f"{generation.prefix}/{shape.format(number)}"
    at = data.draw(st.integers(0, len(path)))
    odd = data.draw(st.characters(exclude_characters="0123456789"))
    assert recognise(path[:at] + odd + path[at:]) is None
