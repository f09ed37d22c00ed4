"""An index is somebody else's text: the version asked for is found in it, or what is wrong is told."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.model.sources import HelmRepositorySource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.helm_repository import HelmRepositoryFetcher
from pierhead.engine.outcome import Invalid
from pierhead.stores.web import Fetched
from support.app_sources import chart_files, packaged

CHART = packaged(chart_files())
NOBODY = Access()
DIGEST = hashlib.sha256(CHART).hexdigest()
URL = "https://charts.example.com/stable"


class Files:
    """An HTTP server's files."""

    def __init__(self, index: bytes) -> None:
        self.index = index
        self.asked: list[str] = []
        self.authorized: list[str | None] = []

    async def fetch(
        self, url: str, *, limit: int, entity_tag=None, authorization=None, trust=None, certificate=None
    ) -> Fetched | None:
        self.asked.append(url)
        self.authorized.append(authorization)
        if not url.endswith("index.yaml"):
            return Fetched(CHART, None)
        tag = hashlib.sha256(self.index).hexdigest()
        return None if entity_tag == tag else Fetched(self.index, tag)


def index(*versions: dict[str, object], chart: str = "shop") -> bytes:
    return json.dumps({"apiVersion": "v1", "entries": {chart: list(versions)}}).encode()


def source(version: str = "1.0.0") -> HelmRepositorySource:
    return HelmRepositorySource.model_validate({"url": URL, "chart": "shop", "version": version})


@pytest.fixture
def fetcher(tmp_path):
    def make(content: bytes) -> tuple[HelmRepositoryFetcher, Files]:
        files = Files(content)
        return HelmRepositoryFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), files), files

    return make


GOOD = {"version": "1.0.0", "urls": ["shop-1.0.0.tgz"], "digest": DIGEST}


@pytest.mark.parametrize(
    ("entry", "asked", "wanted"),
    [
        (GOOD, f"{URL}/shop-1.0.0.tgz", "1.0.0"),
        ({**GOOD, "urls": ["https://cdn.example.com/a.tgz"]}, "https://cdn.example.com/a.tgz", "1.0.0"),
        ({**GOOD, "urls": ["/a.tgz"]}, "https://charts.example.com/a.tgz", "1.0.0"),
        ({**GOOD, "digest": f"sha256:{DIGEST}"}, f"{URL}/shop-1.0.0.tgz", "1.0.0"),
        ({**GOOD, "digest": None}, f"{URL}/shop-1.0.0.tgz", "1.0.0"),
        ({**GOOD, "version": "v1.0.0"}, f"{URL}/shop-1.0.0.tgz", "1.0.0"),
        (GOOD, f"{URL}/shop-1.0.0.tgz", "v1.0.0"),
        ({**GOOD, "version": 1.5}, f"{URL}/shop-1.0.0.tgz", "1.5"),
    ],
)
async def test_a_version_is_found_where_the_index_says(fetcher, entry, asked, wanted):
    made, files = fetcher(index({"version": "2.0.0", "urls": ["other.tgz"]}, entry))
    artifact = await made.fetch(source(wanted), NOBODY, None)
    assert files.asked == [f"{URL}/index.yaml", asked]
    assert artifact.digest == f"sha256:{DIGEST}"
    assert artifact.path.read_bytes() == CHART


async def test_a_version_that_is_here_is_not_asked_for_again(fetcher):
    made, files = fetcher(index(GOOD))
    known = await made.fetch(source(), NOBODY, None)
    assert await made.fetch(source(), NOBODY, known) == known
    assert len(files.asked) == 2


@pytest.mark.parametrize(
    ("content", "reason", "field"),
    [
        (b"", "InvalidIndex", "url"),
        (b"entries: [", "InvalidIndex", "url"),
        (b"\xff\xfe", "InvalidIndex", "url"),
        (b"[]", "InvalidIndex", "url"),
        (b"entries: []", "InvalidIndex", "url"),
        (b"entries: {shop: text}", "InvalidIndex", "url"),
        (b"entries: {shop: {version: 1.0.0}}", "InvalidIndex", "url"),
        (b"entries: {shop: [text]}", "InvalidIndex", "url"),
        (b"entries: {shop: 5}", "InvalidIndex", "url"),
        (b"a: " + b"[" * 50_000, "InvalidIndex", "url"),
        (b"entries: {}", "ChartNotFound", "chart"),
        (b"entries: {shop: []}", "ChartNotFound", "chart"),
        (b"entries: {shop: null}", "ChartNotFound", "chart"),
        (index({**GOOD, "version": "0.9.0"}), "VersionNotFound", "version"),
        (index({**GOOD, "urls": []}), "VersionNotFound", "version"),
        (index({**GOOD, "urls": [{}]}), "VersionNotFound", "version"),
        (index({**GOOD, "urls": "text"}), "VersionNotFound", "version"),
        (index({**GOOD, "digest": "0" * 64}), "DigestMismatch", "version"),
        (index({**GOOD, "urls": ["file:///etc/passwd"]}), "InvalidIndex", "url"),
        (index({**GOOD, "urls": ["oci://example.com/x"]}), "InvalidIndex", "url"),
    ],
)
async def test_what_is_wrong_with_an_index_is_told(fetcher, content, reason, field):
    made, _ = fetcher(content)
    with pytest.raises(Invalid) as raised:
        await made.fetch(source(), NOBODY, None)
    assert (raised.value.reason, raised.value.field) == (reason, field)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["1.0.0", "shop.tgz", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "urls", "digest", "shop", "entries"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON)
async def test_any_index_gives_a_chart_or_a_refusal(tmp_path_factory, document):
    files = Files(json.dumps({"entries": document}).encode())
    store = ArtifactStore(tmp_path_factory.getbasetemp() / "any-index", limit_bytes=1 << 20)
    try:
        artifact = await HelmRepositoryFetcher(store, files).fetch(source(), NOBODY, None)
    except Invalid as error:
        assert error.reason in {"InvalidIndex", "ChartNotFound", "VersionNotFound", "DigestMismatch"}  # noqa: PT017
    else:
        assert artifact.revision == "shop-1.0.0"


async def test_a_range_is_followed_at_the_price_of_a_conditional_request(fetcher):
    made, files = fetcher(index(GOOD, {**GOOD, "version": "2.0.0-rc.1"}, {**GOOD, "version": "0.9.0"}))
    asked = HelmRepositorySource(url=URL, chart="shop", semver=">=0.1")
    known = await made.fetch(asked, NOBODY, None)
    assert known.revision == "shop-1.0.0"
    files.asked.clear()
    assert await made.fetch(asked, NOBODY, known) is known
    assert files.asked == [f"{URL}/index.yaml"]
    files.index = index(GOOD, {**GOOD, "version": "1.1.0"})
    newer = await made.fetch(asked, NOBODY, known)
    assert newer.revision == "shop-1.1.0"


async def test_an_index_that_says_the_same_in_other_words_fetches_no_chart(fetcher):
    made, files = fetcher(index(GOOD))
    asked = HelmRepositorySource(url=URL, chart="shop", semver="*")
    known = await made.fetch(asked, NOBODY, None)
    files.index = index(GOOD, {**GOOD, "version": "0.1.0"})
    files.asked.clear()
    assert await made.fetch(asked, NOBODY, known) == known
    assert files.asked == [f"{URL}/index.yaml"]


async def test_a_range_without_a_version_is_told(fetcher):
    made, _ = fetcher(index(GOOD))
    for semver, reason in ((">=2", "VersionNotFound"), ("newest", "InvalidVersionRange")):
        with pytest.raises(Invalid) as raised:
            await made.fetch(HelmRepositorySource(url=URL, chart="shop", semver=semver), NOBODY, None)
        assert (raised.value.reason, raised.value.field) == (reason, "semver")


@pytest.mark.parametrize(
    ("url", "sent"), [("shop-1.0.0.tgz", True), ("https://cdn.example.com/a.tgz", False)]
)
async def test_credentials_are_for_the_repository_alone(fetcher, url, sent):
    made, files = fetcher(index({**GOOD, "urls": [url]}))
    login = Access("login", {"username": "robot", "password": "hunter2"})
    await made.fetch(source(), login, None)
    assert [authorization is not None for authorization in files.authorized] == [True, sent]
    with pytest.raises(Invalid, match="Secret login has no key 'password'"):
        await made.fetch(source(), Access("login", {"username": "robot"}), None)
