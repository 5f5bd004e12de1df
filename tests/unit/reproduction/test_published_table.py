"""The table of published results: complete, consistent with configs and pages."""

import copy
import re

import pytest
from helpers.config_family import (
    CONFIGS,
    ROOT,
    build_model,
    load,
    present,
    with_options,
)
from helpers.tiny_published import write_table

from tmt_vis.checkpoints import LAYOUTS
from tmt_vis.model_zoo import (
    ModelZooError,
    PublishedTableError,
    configuration,
    load_published,
)
from tmt_vis.reproduction import compare, model_zoo_page, official_config

TABLE = load_published(CONFIGS / "published_results.yml")
HOSTED = [row for row in TABLE.rows.values() if row.config is not None]
PAGE = ROOT / "docs" / "model_zoo.md"


def _name(row):
    return str(row.config.relative_to(CONFIGS).with_suffix(""))


@pytest.fixture
def parsed_once(monkeypatch):
    """Rows share configs, and parsing one takes longer than all that is tested here."""

    def parse(path):
        return copy.deepcopy(load(str(path.relative_to(CONFIGS).with_suffix(""))))

    monkeypatch.setattr(configuration, "read_config", parse)


@pytest.mark.parametrize("row", HOSTED, ids=lambda row: row.name)
def test_the_config_of_a_row_exists_and_tests_what_is_published(row, parsed_once):
    cfg = official_config(row, data_root="elsewhere", work_dir="work")
    # test_configs.py builds every config, test_config_docs.py the options of the
    # ablations; this is the one row with options that is not among them.
    if row.name == "table2_mask2former-vis_r50_uvo":
        build_model(cfg.model.head)
    assert cfg.model.long_videos is None
    if row.options:
        expected = with_options(load(_name(row)), row.options).model
        expected.long_videos = None
        assert cfg.model == expected
    datasets = present(cfg.test_dataloader.dataset.datasets)
    metrics = present(cfg.test_evaluator.metrics)
    assert set(datasets) == set(metrics) == set(row.published)
    for name, dataset in datasets.items():
        assert dataset.data_root.startswith("elsewhere/")
        assert metrics[name].ann_file == dataset.data_root + dataset.ann_file
        resize = dataset.pipeline[1].transforms[0]
        assert row.test.scale in (None, resize.scale)
        assert row.test.backend in (None, resize.get("backend"))
        limit = cfg.model.head.test_cfg.max_per_video[dataset.label_space]
        assert row.test.tracks in (None, limit)
    # COCO pseudo-clips are part of a recipe, not one of its datasets.
    trained = present(cfg.train_dataloader.dataset.datasets)
    trained.pop("coco", None)
    if row.trained_on:
        assert set(trained) == set(row.trained_on)
    else:
        labels = {dataset.label_space for dataset in trained.values()}
        assert labels == {row.checkpoint.labels}
    assert (row.checkpoint is None) == bool(row.trained_on)


def test_files_fit_their_rows():
    rows = [row for row in HOSTED if row.checkpoint is not None]
    assert len(rows) == 59 and len(HOSTED) > 100
    files = [row for row in rows if row.checkpoint.url]
    assert len({row.checkpoint.url for row in files}) == len(files) == 30
    brought = {row.checkpoint.layout for row in rows if not row.checkpoint.url}
    assert brought == {"vita", "genvis", "idol", "vmt"}
    for row in files:
        file, (dataset,) = row.checkpoint, row.published
        assert file.layout in LAYOUTS and file.labels == dataset
        assert row.name.endswith(f"_{dataset}") and dataset in _name(row)
        folder = dataset.replace("ytvis", "ytvis_20")
        assert any(name in file.url for name in (dataset, folder, "youtubevis2021"))
        assert (file.digest is None) == (row.method == "MinVIS")


def test_options_of_the_user_win():
    row = TABLE.rows["table6_n5"]
    options = ["model.head.compilation.num_taxonomy=7"]
    for given, expected in (([], 5), (options, 7)):
        cfg = official_config(row, data_root="d", work_dir="w", options=given)
        assert cfg.model.head.compilation.num_taxonomy == expected


def test_a_digest_is_read_from_the_name():
    file = TABLE.rows["mask2former-vis_r50_ytvis19"].checkpoint
    assert file.digest == ("md5", "34112b")
    file = TABLE.rows["mmdet-mask2former-vis_swin-l_ytvis21"].checkpoint
    assert file.digest == ("sha256", "48252603")


def test_restricted_weights_are_not_fetched_unasked():
    asked = {row.source.title for row in HOSTED if row.source.accept}
    assert asked == {"Mask2Former model zoo", "MinVIS model zoo"}


def test_numbers_are_ap_in_percent():
    for row in TABLE.rows.values():
        for numbers in row.published.values():
            assert list(numbers)[0] == "AP"
            assert all(0 < value < 100 for value in numbers.values())
            # AP is a mean over thresholds from 0.5 on.
            assert numbers["AP"] < numbers.get("AP50", 100)
    assert TABLE.rows["minvis_r50_ovis"].tolerances == {"ovis": 2.0}


def _readme_rows(folder):
    """Yield config, options and AP of every row of a README with tables of APs."""
    text = (folder / "README.md").read_text()
    sets = dict(re.findall(r"^\| (\S+) \| `(model[^`]+)` \|$", text, re.M))
    for line in text.splitlines():
        link = re.search(r"\[config\]\(([^)]+)\.py\)", line)
        numbers = re.search(r"\| (\d+\.\d(?: / \d+\.\d)*) \|", line)
        if link and numbers:
            cell = line.split("|")[-2]
            named = [sets[name] for name in re.findall(r"\[(\S+)\]\(#option", cell)]
            options = {*" ".join(named).split(), *re.findall(r"`(\S+=\S+)`", cell)}
            config = (folder / link[1]).resolve().relative_to(CONFIGS)
            yield str(config), options, numbers[1].split(" / ")


def test_the_ablations_have_the_numbers_of_their_readme():
    ours = [
        (
            _name(row),
            set(row.options),
            [f"{numbers['AP']:.1f}" for numbers in row.published.values()],
        )
        for row in HOSTED
    ]
    rows = list(_readme_rows(CONFIGS / "tmt_vis/ablations"))
    assert len(rows) == 39
    for config, options, aps in rows:
        found = [
            theirs
            for name, changes, theirs in ours
            if (name, changes) == (config, options) and theirs[: len(aps)] == aps
        ]
        assert found, (config, options, aps)


def test_statements_name_tests_that_exist():
    for row in HOSTED:
        assert row.verified and row.not_verified
        assert row.not_verified[0].text.startswith("the AP")
        for statement in (*row.verified, *row.not_verified):
            assert all((ROOT / test).is_file() for test in statement.tests)
        assert all(statement.tests for statement in row.verified)


def test_the_page_is_up_to_date():
    written = PAGE.read_text()
    assert written == model_zoo_page(TABLE, PAGE), (
        "run python tools/reproduce.py --write-docs"
    )
    assert all(f"`{name}`" in written for name in TABLE.rows)


def test_methods_without_a_host_are_named_as_such():
    row = TABLE.rows["table2_vita_r50_uvo"]
    assert row.state == "not hosted yet"
    with pytest.raises(ModelZooError, match="VITA is not hosted"):
        official_config(row, data_root="data", work_dir="work")


def test_the_verdict_goes_by_ap():
    row = TABLE.rows["tmt-vis_r50_ytvis19-ovis-uvo"]
    metrics = {"ytvis19/AP": 0.487, "ytvis19/AP50": 0.2, "ovis/AP": 0.2051}
    measured = {(c.dataset, c.metric): c for c in compare(row, metrics)}
    assert set(measured) == {("ytvis19", "AP"), ("ytvis19", "AP50"), ("ovis", "AP")}
    assert measured["ytvis19", "AP"].within is True  # 1.0 lower is within 1.0
    assert measured["ytvis19", "AP50"].within is None
    assert measured["ovis", "AP"].within is False
    (nothing,) = compare(row, {"uvo/AP": float("nan")})
    assert nothing.within is False


def test_a_malformed_table_is_refused(tmp_path):
    path = tmp_path / "table.yml"
    row = dict(name="a", published=dict(ytvis19=[1.0]))
    for rows, message in (
        ([dict(row, ap=3)], "'a' has the unknown field 'ap'"),
        ([row, row], "two rows named 'a'"),
        ([dict(row, verified=["magic"])], "statements has no 'magic', only checked"),
        ([dict(row, options=["m2f"])], "option_sets has no 'm2f'"),
        ([dict(row, published=dict(ovis=[1.0]))], "datasets has no 'ovis'"),
    ):
        write_table(path, tmp_path / "config.py", *rows)
        with pytest.raises(PublishedTableError, match=re.escape(message)):
            load_published(path)
    path.write_text("groups: [")
    with pytest.raises(PublishedTableError, match="no table of published results"):
        load_published(path)
