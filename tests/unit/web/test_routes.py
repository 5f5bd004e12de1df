"""Uploads, videos and downloads by address; the token is all that opens them."""

import asyncio

import pytest
from helpers.tiny_web import tiny_run, upload_file

pytest.importorskip("fastapi", reason="requirements/web.txt")
testclient = pytest.importorskip("starlette.testclient", reason="needs httpx")
from fastapi import FastAPI  # noqa: E402

from tmt_vis.web import Limits, Visitors, WebError  # noqa: E402
from tmt_vis.web.routes import hide_folders, make_routes, receive  # noqa: E402


@pytest.fixture
def visitors(tmp_path):
    made = Visitors(tmp_path / "root", Limits(upload_mb=1, frames=10))
    made.root.mkdir()
    return made


@pytest.fixture
def client(visitors):
    application = FastAPI()
    application.include_router(make_routes(visitors))
    return testclient.TestClient(application)


def files(visitor):
    return [path for path in visitor.folder.rglob("*") if path.is_file()]


def test_upload(client, visitors, tmp_path):
    visitor, path = visitors.of("a"), upload_file(tmp_path)
    name = "..%2F..%2Fmy yard.avi"
    answer = client.put(
        f"/visitors/{visitor.token}/video/yard.avi", content=path.read_bytes()
    )
    assert (answer.status_code, answer.json()) == (200, {"name": "yard.avi"})
    assert files(visitor) == [visitor.video]
    # However the name is written, the file lies in the visitor's folder.
    client.put(f"/visitors/{visitor.token}/video/{name}", content=path.read_bytes())
    assert all(file.is_relative_to(visitor.folder) for file in files(visitor))
    assert len(files(visitor)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no video at all", "yard.avi is no video"),
        (bytes(1_500_000), "may have 1 MB, this one has at least 1.5"),
        (b"RIFF" + bytes(600), "cannot decode"),
    ],
    ids=["text", "large", "damaged"],
)
def test_uploads_that_are_refused_leave_nothing(client, visitors, content, said):
    visitor = visitors.of("a")
    answer = client.put(f"/visitors/{visitor.token}/video/yard.avi", content=content)
    assert answer.status_code == 422 and said in answer.text
    assert str(visitors.root) not in answer.text
    assert visitor.video is None and files(visitor) == []
    assert list(visitor.folder.iterdir()) == []


class Upload:
    """A request whose length nobody announces.

    Args:
        breaks: The tab is closed in the middle.
    """

    def __init__(self, *, breaks=False):
        self.headers, self.sent, self.breaks = {}, 0, breaks

    async def stream(self):
        for _ in range(100):
            self.sent += 10**5
            yield bytes(10**5)
            if self.breaks:
                raise ConnectionError


@pytest.mark.parametrize(
    ("breaks", "error"), [(False, WebError), (True, ConnectionError)]
)
def test_an_upload_stops_in_the_middle(visitors, breaks, error):
    visitor, request = visitors.of("a"), Upload(breaks=breaks)
    with pytest.raises(error):
        asyncio.run(receive(visitor, "yard.avi", request))
    assert request.sent == (10**5 if breaks else 11 * 10**5)
    assert list(visitor.folder.iterdir()) == []


def test_too_long(client, visitors, tmp_path):
    visitor, path = visitors.of("a"), upload_file(tmp_path, count=11)
    address = f"/visitors/{visitor.token}/video/yard.avi"
    answer = client.put(address, content=path.read_bytes())
    assert answer.status_code == 422 and "may have 10 frames" in answer.text


def test_results(client, visitors, tmp_path):
    run = tiny_run(tmp_path)
    visitors.of("a").runs = [run]
    base, track = f"/runs/{run.token}", run.result.tracks[0]
    video = client.get(f"{base}/{run.video.name}", headers={"Range": "bytes=0-99"})
    assert video.status_code == 206 and len(video.content) == 100
    saved = client.get(f"{base}/{run.video.name}?download=1")
    assert 'filename="yard.mp4"' in saved.headers["content-disposition"]
    assert len(client.get(f"{base}/outlines/{track.id}").json()) == 6
    assert client.get(f"{base}/outlines/99").status_code == 404
    rows = client.get(f"{base}/tracks.json").json()
    assert [row["track_id"] for row in rows] == [t.id for t in run.result.tracks]
    archive = client.get(f"{base}/export/cvat-video")
    assert archive.content[:2] == b"PK"
    assert 'filename="yard-cvat-video.zip"' in archive.headers["content-disposition"]
    assert client.get(f"{base}/export/nothing").status_code == 422
    assert [path.name for path in run.folder.iterdir()] == [run.video.name]


@pytest.mark.parametrize(
    "path", ["tracks-1.mp4", "tracks.json", "export/coco", "outlines/1"]
)
def test_nothing_without_the_token(client, visitors, path):
    visitors.of("a")
    answer = client.get(f"/runs/guess/{path}")
    assert answer.status_code == 404 and "reload" in answer.text


def test_a_forgotten_visitor_is_told_to_reload(client, visitors):
    token = visitors.of("a").token
    visitors.close("a")
    answer = client.put(f"/visitors/{token}/video/a.mp4", content=b"x")
    assert answer.status_code == 404 and "reload" in answer.text
    assert list(visitors.root.iterdir()) == []


def test_folders_are_hidden(tmp_path):
    text = f"{tmp_path}/a/yard.mp4: cannot be read"
    assert hide_folders(text, tmp_path) == "yard.mp4: cannot be read"
