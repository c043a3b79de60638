"""The ranking of layers: the spoilt ones come first, with labels and without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.config.targets import load_target
from edgekit.core.errors import UsageError
from edgekit.core.recipe import Step
from edgekit.data import load_dataset
from edgekit.flows.request import CompileRequest
from edgekit.flows.sensitivity import rank, rank_layers

INT8 = Step(pass_name="int8")


def spoilt_ones(ranking) -> set[str]:
    return {entry.layer.name.split("/")[1] for entry in ranking[:2]}


def test_spoilt_layers_come_first_by_accuracy(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    ranking = rank(at.source, INT8, at.meter)

    assert spoilt_ones(ranking) == {"loud_1", "listener_1"}
    assert ranking[0].drop is not None
    assert ranking[0].drop > 0.5
    assert all(entry.drop is not None and entry.drop < 0.1 for entry in ranking[2:])
    assert sum(entry.layer.weights for entry in ranking) == 8234


def test_spoilt_layers_come_first_by_noise_without_labels(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)
    unlabelled = replace(at.meter, evaluation=replace(at.meter.evaluation, labels=None))

    ranking = rank(at.source, INT8, unlabelled)

    assert spoilt_ones(ranking) == {"loud_1", "listener_1"}
    assert all(entry.accuracy is None and entry.drop is None for entry in ranking)
    assert [entry.snr_db for entry in ranking] == sorted(entry.snr_db for entry in ranking)


def test_document_holds_the_ranking_and_needs_data(spoilt_models):
    request = CompileRequest(
        model=spoilt_models / "spoilt.keras",
        target=load_target("host"),
        calibration=load_dataset(f"{spoilt_models}/images_train.npz", None),
        evaluation=load_dataset(f"{spoilt_models}/images_test.npz", None, limit=60),
    )

    document = rank_layers(request)

    assert document["schema"] == "edgekit.sensitivity/1"
    assert {"name", "op", "weights", "macs", "drop", "snr_db", "tensor_snr_db"} <= document["sensitivity"][0].keys()
    with pytest.raises(UsageError):
        rank_layers(replace(request, evaluation=None))
