"""Downloads: whole, continued, of the promised digest, or an error that helps."""

import hashlib
import http.server
import threading

import pytest

from tmt_vis.checkpoints import FetchError, fetch

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, ranges too unless told otherwise, and remembers requests."""

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if not server.ranges:
            start = 0
        if self.path == "/absent.pth":
            return self.send_error(404)
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : server.cut])
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.requests, served.cut, served.ranges = [], None, True
        served.url = f"http://127.0.0.1:{served.server_port}"
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server, tmp_path):
    seen = []
    url = f"{server.url}/model_final_{MD5[:6]}.pkl"
    for _ in range(2):
        path = fetch(
            url,
            tmp_path / "new",
            digest=("md5", MD5[:6]),
            progress=lambda *step: seen.append(step),
        )
        assert path.read_bytes() == CONTENT
    assert server.requests == [None]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_continued(server, tmp_path, ranges):
    server.cut = 3000
    with pytest.raises(FetchError, match=r"3,000 of 10,240 bytes.*Run it again"):
        fetch(f"{server.url}/a.pth", tmp_path)
    assert not (tmp_path / "a.pth").exists()
    server.cut, server.ranges = None, ranges
    path = fetch(f"{server.url}/a.pth", tmp_path, digest=("md5", MD5))
    assert path.read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=3000-"


def test_a_whole_part_is_taken(server, tmp_path):
    (tmp_path / "a.pth.part").write_bytes(CONTENT)
    assert fetch(f"{server.url}/a.pth", tmp_path).read_bytes() == CONTENT


def test_another_content_is_refused(server, tmp_path):
    url = f"{server.url}/a.pth"
    with pytest.raises(FetchError, match=rf"begin with 000000.*got {MD5[:6]}; it was"):
        fetch(url, tmp_path, digest=("md5", "000000"))
    assert list(tmp_path.iterdir()) == []
    # What the user put there is not ours to remove.
    own = tmp_path / "a.pth"
    own.write_bytes(b"something else")
    with pytest.raises(FetchError, match=r"remove .*a\.pth and run it again"):
        fetch(url, tmp_path, digest=("md5", MD5[:6]))
    assert own.read_bytes() == b"something else"


@pytest.mark.parametrize("name", ["absent.pth", "unreachable.pth"])
def test_without_the_file_the_error_says_where_to_put_it(server, tmp_path, name):
    base = "http://127.0.0.1:9" if name == "unreachable.pth" else server.url
    with pytest.raises(FetchError) as error:
        fetch(f"{base}/{name}", tmp_path)
    message = str(error.value)
    assert f"{base}/{name}" in message and f"put it at {tmp_path / name}" in message
    assert "--checkpoint FILE" in message and "\n" not in message
