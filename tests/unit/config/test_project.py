"""`edgekit.toml` as values, and who has the last word."""

from __future__ import annotations

import pytest

from edgekit.config.project import Project, find_project, load_project, settle
from edgekit.core.errors import ConfigurationError
from edgekit.core.metric import Metric
from edgekit.core.preprocessing import Color, Layout, Preprocessing
from edgekit.core.target import Budgets

FULL = """
schema = 1
target = "some_board"
device = "kitchen"
recipe = "recipes/mine.toml"

[model]
path = "models/digits.keras"

[data]
calibration = "data/digits.npz#train"
evaluation = "my.package:samples"
representative_samples = 250
seed = 7
labels = "labels.txt"
metric = "my.metrics:auc"

[preprocess]
scale = "1/255"
offset = -0.5
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
resize = [96, 128]
layout = "nchw"
dtype = "uint8"
color = "gray"

[budgets]
flash = "300KiB"
ram = 1_000_000
latency_p90 = "1.5ms"
accuracy_drop = "0.5%"
"""


def test_every_key_arrives_and_paths_start_at_the_file(write, project, monkeypatch):
    monkeypatch.chdir("/")

    found = load_project(write(FULL))

    assert found == Project(
        path=project / "edgekit.toml",
        model=project / "models/digits.keras",
        calibration=f"{project}/data/digits.npz#train",
        evaluation="my.package:samples",
        representative_samples=250,
        seed=7,
        labels=project / "labels.txt",
        preprocessing=Preprocessing(
            scale=1 / 255,
            offset=-0.5,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            resize=(96, 128),
            layout=Layout.NCHW,
            dtype="uint8",
            color=Color.GRAY,
        ),
        target="some_board",
        device="kitchen",
        recipe=f"{project}/recipes/mine.toml",
        budgets=Budgets(flash_bytes=300 * 1024, ram_bytes=10**6, latency_p90_ns=1_500_000, accuracy_drop=0.005),
        metric=Metric(name="my.metrics:auc", folder=project),
    )


def test_unknown_metric_is_told_with_its_line(write):
    with pytest.raises(ConfigurationError, match=r"data\.metric.*there is no metric 'mea'.*did you mean"):
        load_project(write('[data]\nmetric = "mea"\n'))


def test_empty_file_is_a_project_that_says_nothing(write, project):
    assert load_project(write("")) == Project(path=project / "edgekit.toml")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("scale = '1/0'", "scale"),
        ("scale = inf", "scale"),
        ("mean = ['x']", "mean[0]"),
        ("resize = [96]", "resize[1]"),
        ("resize = [0, 96]", "resize[0]"),
        ("layout = 'chw'", "layout"),
        ("dtype = 'float23'", "dtype"),
        ("color = 'bgr'", "color"),
    ],
)
def test_wrong_preprocessing_is_refused(write, line, key):
    with pytest.raises(ConfigurationError) as caught:
        load_project(write(f"[preprocess]\n{line}\n"))

    assert f":2: preprocess.{key}: " in caught.value.message


def test_std_of_zero_is_refused(write):
    with pytest.raises(ConfigurationError, match="not positive"):
        load_project(write("[preprocess]\nstd = [1.0, 0.0]\n"))


def test_find_project_looks_in_the_folders_above(write, project):
    path = write("")
    deep = project / "a" / "b"
    deep.mkdir(parents=True)

    assert find_project(deep) == path
    assert find_project(project.parent) is None


def test_flag_wins_over_environment_wins_over_file(write):
    project = load_project(write('target = "file"\nrecipe = "file"\ndevice = "file"\n'))

    settled = settle({"target": "flag", "recipe": None}, {"EDGEKIT_TARGET": "env", "EDGEKIT_RECIPE": "env"}, project)

    assert (settled.target, settled.recipe, settled.device) == ("flag", "env", "file")
    assert settled.origins == {"target": "flag", "recipe": "environment", "device": "file"}


def test_empty_variable_counts_as_not_set():
    settled = settle({}, {"EDGEKIT_TARGET": ""}, None)

    assert settled.target is None
    assert settled.origins == {}
