"""Models by name: found, fetched, converted, cached; or an error that helps."""

import functools
import http.server
import json
import shlex
import threading

import pytest
import torch
from helpers.tiny_published import write_config, write_released_file, write_table

from tmt_vis.inference import InferenceError, VISInferencer
from tmt_vis.model_zoo import (
    LicenceError,
    ModelZooError,
    PublishedTableError,
    find_model,
    format_models,
    load_published,
    open_model,
    released,
    released_models,
)

SHIPPED = "tmt-vis_r18-tiny_sprites"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TMT_VIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A released file of a tiny model, and its config."""
    folder = tmp_path_factory.mktemp("released")
    write_released_file(folder)
    write_config(folder / "tiny_config.py")
    return folder


@pytest.fixture
def publish(folder, home, monkeypatch, request):
    """Make the tiny model the one that is known by the name ``tiny``."""

    def use(address):
        (file,) = folder.glob("released-*.pth")
        checkpoint = dict(
            url=f"{address}/{file.name}",
            hash="sha256",
            layout="mmdet-mask2former-vis",
            labels="ytvis19",
        )
        row = dict(name="tiny", checkpoint=checkpoint, published=dict(ytvis19=[46.4]))
        path = write_table(home.parent / "t.yml", folder / "tiny_config.py", row)
        models = dict(released._public_models(load_published(path), []))
        monkeypatch.setattr(released, "released_models", lambda: models)
        return models

    return use


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(folder):
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        served.requests = []
        served.url = f"http://127.0.0.1:{served.server_port}"
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_a_name_is_fetched_and_converted_once(server, publish, home):
    models, seen = publish(server.url), []
    with pytest.raises(LicenceError, match=r"CC BY-NC \(https://cc.invalid\).*accept"):
        open_model("tiny")
    assert server.requests == [] and not home.exists()
    assert format_models(models).splitlines()[-1].endswith(" no")
    first = open_model(
        "tiny", accept_license=True, progress=lambda *s: seen.append(s), say=seen.append
    )
    assert first.checkpoint.parent == home / "models" and len(server.requests) == 1
    assert any("classifier: 40 rows of ytvis19 copied" in str(s) for s in seen)
    # The settings of the publication, not those of the config.
    dataset = first.config.test_dataloader.dataset.datasets.ytvis19
    assert dataset.pipeline[1].transforms[0].scale == (64, 64)
    assert first.config.model.head.test_cfg.max_per_video.ytvis19 == 3
    assert format_models(models).splitlines()[-1].endswith(" yes")
    # Accepted once: neither the next call nor the next download asks again.
    assert open_model("tiny").checkpoint == first.checkpoint
    first.checkpoint.unlink()
    (home / "downloads" / models["tiny"].row.checkpoint.file_name).unlink()
    assert open_model("tiny").checkpoint.exists() and len(server.requests) == 2
    find = VISInferencer("tiny", device="cpu")
    assert find.label_spaces == ("ytvis19",) and len(server.requests) == 2


def test_offline_the_error_has_two_commands_that_work(
    publish, home, folder, load_tool, server
):
    publish("http://127.0.0.1:9")
    with pytest.raises(ModelZooError, match="cannot download http://127.0.0.1:9/") as e:
        open_model("tiny", accept_license=True)
    message = str(e.value)
    assert "\n" not in message
    fetch, convert = message.partition("By hand: ")[2].split(" && ")
    words = shlex.split(fetch)
    assert words[0] == "curl" and words[-1].startswith("http://127.0.0.1:9/released-")
    target = home / "downloads" / words[-1].rpartition("/")[2]
    assert words[words.index("-o") + 1] == str(target)
    (file,) = folder.glob("released-*.pth")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())
    words = shlex.split(convert)
    assert words[:2] == ["tmt-vis", "convert-checkpoint"]
    # The file of this test does not name its categories, as those of mmdet do.
    tool = load_tool("convert_checkpoint")
    assert not tool.main([*words[2:], "--source-labels", "ytvis19"])
    by_hand = open_model("tiny")
    expected = by_hand.checkpoint.read_bytes()
    by_hand.checkpoint.unlink()
    assert open_model("tiny").checkpoint.read_bytes() == expected


def test_another_file_than_the_released_one_is_refused(publish, home):
    models = publish("http://127.0.0.1:9")
    path = home / "downloads" / models["tiny"].row.checkpoint.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a proxy says no")
    with pytest.raises(ModelZooError, match=r"sha256 .* must begin with .*By hand"):
        open_model("tiny")
    assert path.exists()


def test_a_broken_record_of_licences_is_named(publish, home):
    publish("http://127.0.0.1:9")
    for text, said in (("{", "got Expecting"), ("[]", "must hold a JSON object")):
        (home / "downloads").mkdir(parents=True, exist_ok=True)
        (home / "downloads" / "licences.json").write_text(text)
        with pytest.raises(LicenceError, match=said):
            open_model("tiny", accept_license=True)


def test_names_of_rows_and_of_configs():
    model = find_model("mask2former-vis_swin-t_ytvis21")
    assert model.row.method == "Mask2Former-VIS" and model.datasets == ("ytvis21",)
    assert find_model("mask2former-vis_swin-t-p4-w7-224_8xb2-8k_ytvis21") == model
    assert find_model("tmt-vis_r18-tiny_1xb4-1400_sprites").row.name == SHIPPED
    models = released_models()
    assert len(models) == 31 and next(iter(models)) == SHIPPED
    assert all(model.row.parameters for model in models.values())
    for name, said in (
        ("mask2former_swin-t_ytvis21", "similar ones are mask2former-vis_swin-t_ytv"),
        ("tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo", "config but no released weights"),
    ):
        with pytest.raises(ModelZooError, match=said):
            find_model(name)


def test_the_list_has_what_one_chooses_by(home, load_tool, capsys):
    assert load_tool("infer").main(["--list-models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(released_models())
    (line,) = (x for x in lines if x.startswith("mask2former-vis_swin-t_ytvis21 "))
    cells = ("ytvis21", "Mask2Former-VIS", "Swin-T", "CC BY-NC 4.0", "about 190 MB")
    assert all(cell in line for cell in (*cells, "ytvis21 45.9")), line
    assert line.endswith(" no") and lines[2].endswith(" ships")


@pytest.mark.parametrize(
    "words",
    [["--model", "a", "--config", "b"], ["--config", "b"], ["--checkpoint", "c"], []],
)
def test_a_model_is_a_name_or_a_pair(load_tool, capsys, words):
    with pytest.raises(SystemExit):
        load_tool("infer").main(["a.mp4", *words])
    assert "either --model NAME, or --config and --check" in capsys.readouterr().err


def test_a_config_alone_is_no_model():
    with pytest.raises(InferenceError, match="a config needs a checkpoint"):
        VISInferencer("configs/demo/some.py")


def test_two_files_of_one_name_are_refused(tmp_path):
    rows = [
        dict(
            name=name,
            checkpoint=dict(url=f"https://{name}.invalid/model.bin"),
            published=dict(ytvis19=[1.0]),
        )
        for name in "ab"
    ]
    path = write_table(tmp_path / "t.yml", tmp_path / "c.py", *rows)
    with pytest.raises(PublishedTableError, match="file names of checkpoints must di"):
        load_published(path)


def test_the_model_that_ships(home):
    model = find_model(SHIPPED)
    assert model.shipped.stat().st_size <= 8e6
    find = VISInferencer(SHIPPED, device="cpu")
    assert not home.exists()
    assert find.label_spaces == ("ytvis19", "ovis", "uvo")
    weights = list(find.model.parameters())
    assert all(w.dtype == torch.float32 for w in weights)
    assert sum(w.numel() for w in weights) == round(model.row.parameters * 1e6)
    content = torch.load(model.shipped, weights_only=True)
    halves = {k for k, v in content["state_dict"].items() if v.dtype == torch.float16}
    assert len(halves) > 250
    assert "/" + "work/" not in json.dumps(content["meta"], default=str)
