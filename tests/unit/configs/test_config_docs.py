"""READMEs and metafiles name configs that exist and options that work."""

import json
import re
from pathlib import Path

import pytest
from helpers.config_family import (
    ABLATIONS,
    CONFIGS,
    MAIN,
    ROOT,
    build_model,
    family,
    load,
    metafile_models,
    with_options,
)
from mmengine.config import Config
from modelindex.load_model_index import load as load_model_index

READMES = sorted(CONFIGS.rglob("README.md"))
SETS = dict(
    re.findall(
        r"^\| (\S+) \| `(model[^`]+)` \|$",
        (CONFIGS / ABLATIONS / "README.md").read_text(),
        re.M,
    )
)

Row = tuple[str, str]


def _rows(text: str, folder: Path) -> list[Row]:
    """Read every (config, options) from the tables of a README."""
    rows = []
    for line in text.splitlines():
        link = re.search(r"\[\w+\]\(([^)]+\.py)\)", line)
        if not (line.startswith("|") and link):
            continue
        path = (folder / link[1]).resolve().relative_to(CONFIGS)
        cell = line.split("|")[-2]
        named = [SETS[name] for name in re.findall(r"\[(\S+)\]\(#option", cell)]
        options = " ".join(named + re.findall(r"`(\S+=\S+)`", cell))
        rows.append((str(path.with_suffix("")), options))
    return rows


def _tables() -> dict[str, list[Row]]:
    """Read the rows of the ablations, by table of the paper."""
    folder = CONFIGS / ABLATIONS
    sections = re.split(r"^## ", (folder / "README.md").read_text(), flags=re.M)
    return {
        section.split(":")[0]: _rows(section, folder)
        for section in sections
        if section.startswith("Table")
    }


ROWS = {row for readme in READMES for row in _rows(readme.read_text(), readme.parent)}


def test_the_tables_reach_every_row_of_the_paper():
    sizes = {"Table 3": 14, "Table 4": 6, "Table 5": 4, "Table 6": 8, "Table 7": 4}
    sizes |= {"Table 11": 0, "Table 12": 6}
    assert {table: len(rows) for table, rows in _tables().items()} == sizes


def test_rows_of_a_table_are_different_experiments():
    for table, rows in _tables().items():
        runs = [(cfg.to_dict(), name) for name, cfg in map(_configured, rows)]
        for index, (cfg, name) in enumerate(runs):
            twins = [other for same, other in runs[:index] if same == cfg]
            assert not twins, f"{table}: {name} repeats {twins}"


def _configured(row: Row) -> tuple[str, Config]:
    name, options = row
    cfg = load(name)
    return f"{name} {options}", with_options(cfg, options.split()) if options else cfg


@pytest.mark.parametrize("row", sorted(r for r in ROWS if r[1]), ids=" ".join)
def test_a_row_with_options_builds(row):
    """The configs themselves are built by test_configs.py, with their backbones."""
    _, cfg = _configured(row)
    build_model(cfg.model.head)


def test_every_config_is_in_a_table():
    assert {name for name, _ in ROWS} == set(family())


def test_the_m2f_options_make_the_joint_baseline():
    joint = load("tmt_vis/m2f-joint_r50_8xb2-16k_ytvis19-ovis-uvo")
    assert with_options(load(MAIN), SETS["m2f"].split()).model == joint.model


def test_links_of_the_readmes_lead_somewhere():
    for readme in READMES:
        for target in re.findall(r"\]\(([^)#]+)\)", readme.read_text()):
            if not target.startswith("http"):
                assert (readme.parent / target).is_file(), f"{readme}: {target}"


def test_keys_named_in_the_readme_exist():
    text = (CONFIGS / "README.md").read_text()
    keys = re.findall(r"`([a-z]\w+(?:\.\w+)+)(?:=\w+)?`", text)
    keys = [key for key in keys if not key.endswith(".py")]
    assert "train_dataloader.sampler.ratios.ovis" in keys
    with_options(load(MAIN), [f"{key}=1" for key in keys])


def _blocks(language: str) -> list[str]:
    text = (CONFIGS / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def test_the_example_of_a_leaf_works(tmp_path):
    leaf = tmp_path / "leaf.py"
    leaf.write_text(_blocks("python")[0].replace('"../_base_', f'"{CONFIGS}/_base_'))
    head = build_model(Config.fromfile(leaf).model).head
    assert list(head.label_spaces) == ["ovis"] and head.per_frame
    assert head.guidance is not None


def test_the_example_of_an_own_dataset_works(tmp_path, monkeypatch):
    (_, child), (label_space,) = _blocks("python"), _blocks("json")
    assert len(child.splitlines()) <= 25
    folder = tmp_path / "data" / "ranch"
    folder.mkdir(parents=True)
    (folder / "label_space.json").write_text(json.dumps(json.loads(label_space)))
    file = tmp_path / "child.py"
    base = CONFIGS / "tmt_vis"
    file.write_text(child.replace('_base_ = "./', f'_base_ = "{base}/'))
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(file)
    head = build_model(cfg.model).head
    taxonomy = head.vocabulary.taxonomy
    assert taxonomy.num_categories == 106
    assert taxonomy.names[taxonomy.slot_to_union("ranch")[0]] == "dog"
    assert head.track_decoding.limit("ranch") == 10
    datasets = cfg.train_dataloader.dataset.datasets
    assert datasets.ranch.pipeline == datasets.ovis.pipeline
    assert datasets.ranch.num_frames == 2 and datasets.ranch.data_root == "data/ranch/"
    assert cfg.val_dataloader.dataset.datasets.ranch.test_mode
    assert list(cfg.train_dataloader.sampler.ratios) == list(datasets)
    assert list(cfg.val_evaluator.metrics) == list(datasets)


def test_metafiles_list_every_config_once():
    listed = [model["Config"] for model in metafile_models()]
    assert sorted(listed) == sorted(f"configs/{name}.py" for name in family())
    assert all(sorted((ROOT / path).name for path in listed))


def test_metafiles_claim_no_weights_and_no_results():
    for model in metafile_models():
        assert not {"Weights", "Results"} & set(model)


def test_mim_reads_the_model_index():
    # A second to import, for this test alone.
    from mim.commands.search import convert2df

    table = convert2df(load_model_index(str(ROOT / "model-index.yml")))
    assert sorted(table.index) == sorted(name.rsplit("/", 1)[-1] for name in family())
    assert set(table["model"]) == {
        "tmt-vis",
        "mask2former-vis",
        "minvis",
        "idol",
        "vita",
        "genvis",
        "vmt",
    }
