"""Distillation: the student learns from its teacher by every method, and models that do not fit are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import PASSES
from tests.models.digits_models import artifact, digits
from tests.models.fixtures import shared_isolate

SHORT = {"epochs": 1, "validation_split": 0.0}
ALL = ["response", "feature", "relation_layers", "relation_samples"]


def looked_at(path: Any) -> dict[str, Any]:
    """Widths, layer names and accuracy of a written model, found out in the child process."""
    data = digits()
    x, y = path.with_suffix(".x.npy"), path.with_suffix(".y.npy")
    np.save(x, data.inputs[0])
    np.save(y, data.labels)
    found: dict[str, Any] = shared_isolate().call(
        f"{__file__}:look", {"path": str(path), "x": str(x), "y": str(y)}, what="looking"
    )
    return found


def look(path: str, x: str, y: str) -> dict[str, Any]:
    import tf_keras

    from edgekit.passes._keras.loading import load_native

    model = load_native(path, "tf_keras")
    answers = model.predict(np.load(x), verbose=0).argmax(axis=-1)
    shapes = {layer.name: list(layer.get_weights()[0].shape) for layer in model.layers if layer.weights}
    del tf_keras
    return {"shapes": shapes, "accuracy": float((answers == np.load(y)).mean())}


def test_student_is_narrower_and_learns(digits_model, run_pass):
    result, record = run_pass("distill", digits_model, {**SHORT, "epochs": 8, "learning_rate": 5e-3, "batch_size": 32})

    found = looked_at(result.path)
    assert found["shapes"]["conv"] == [3, 3, 1, 4]
    assert found["shapes"]["hidden"] == [64, 16]
    assert found["shapes"]["scores"] == [16, 10]
    assert found["accuracy"] > 0.85
    assert record.notes[0].startswith("the student has ")


def test_teacher_teaches_without_labels(digits_model, run_pass):
    unlabelled = Dataset(name="digits", inputs=digits().take(range(600)).inputs)
    params = {**SHORT, "epochs": 8, "alpha": 1.0, "learning_rate": 5e-3, "batch_size": 32}

    result, _ = run_pass("distill", digits_model, params, data=unlabelled)

    assert looked_at(result.path)["accuracy"] > 0.85


def test_all_methods_together_give_the_same_bytes_again(digits_model, run_pass):
    params = {**SHORT, "methods": ALL, "hints": {"relu": "relu"}, "flows": {"relu": "add"}}

    first, _ = run_pass("distill", digits_model, params)
    again, _ = run_pass("distill", digits_model, params)
    plain, _ = run_pass("distill", digits_model, SHORT)

    assert first.digest == again.digest
    assert first.digest != plain.digest
    assert set(looked_at(first.path)["shapes"]) == set(looked_at(plain.path)["shapes"])


def test_self_distillation_begins_with_the_teachers_weights(digits_model, run_pass):
    params = {**SHORT, "width": 1.0, "learning_rate": 1e-6}

    same, _ = run_pass("distill", digits_model, params)
    new, _ = run_pass("distill", digits_model, {**params, "reinitialise": True})

    assert looked_at(same.path)["accuracy"] > 0.95
    assert looked_at(new.path)["accuracy"] < 0.5


def test_named_student_is_trained(digits_model, run_pass, tmp_path):
    path = tmp_path / "student.h5"
    shared_isolate().call(f"{__file__}:save_student", {"output": str(path), "classes": 10}, what="building")
    student = artifact(path)

    result, _ = run_pass("distill", digits_model, {**SHORT, "student": "student.h5"}, models={"student.h5": student})

    assert set(looked_at(result.path)["shapes"]) == {"only"}


def test_named_teacher_teaches_the_model(digits_model, run_pass, tmp_path):
    path = tmp_path / "student.h5"
    shared_isolate().call(f"{__file__}:save_student", {"output": str(path), "classes": 10}, what="building")

    result, _ = run_pass("distill", artifact(path), {**SHORT, "teacher": "big.h5"}, models={"big.h5": digits_model})

    assert set(looked_at(result.path)["shapes"]) == {"only"}


def save_student(output: str, classes: int) -> None:
    import tf_keras

    layers = tf_keras.layers
    tf_keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(classes, name="only")]).save(
        output, save_format="h5"
    )


def test_student_with_other_classes_is_refused(digits_model, run_pass, tmp_path):
    path = tmp_path / "student.h5"
    shared_isolate().call(f"{__file__}:save_student", {"output": str(path), "classes": 7}, what="building")

    with pytest.raises(
        UnsupportedError, match=r"teacher's outputs have the shapes \[\(10,\)\], the student's \[\(7,\)\]"
    ):
        run_pass("distill", digits_model, {"student": "s.h5"}, models={"s.h5": artifact(path)})


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"width": 0.0}, "width is 0.0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"methods": []}, "methods is"),
        ({"methods": ["response", "telepathy"]}, "one of"),
        ({"methods": ["feature"]}, "hints is None"),
        ({"methods": ["relation_layers"]}, "flows is None"),
        ({"student": "a", "teacher": "b"}, "not both"),
        ({"methods": ["feature"], "hints": {"nowhere": "relu"}}, "no layer 'nowhere'"),
        ({"methods": ["feature"], "hints": {"relu": "pool"}}, "gives (4, 4, "),
        ({"methods": ["relation_layers"], "flows": {"hidden": "relu"}}, "needs feature maps"),
    ],
)
def test_impossible_parameters_are_refused(digits_model, run_pass, params, text):
    with pytest.raises(ConfigurationError) as refused:
        run_pass("distill", digits_model, {**SHORT, **params}, models={"a": digits_model, "b": digits_model})

    assert text in f"{refused.value} {refused.value.hint}"


def test_digest_of_a_named_model_is_part_of_the_key():
    found = PASSES.load("distill")

    assert found.models(found.parse({"student": "a.h5"})) == ("a.h5",)
    assert found.models(found.parse({})) == ()


def test_losses_have_the_values_of_their_papers():
    found = shared_isolate().call(f"{__file__}:losses", {}, what="computing losses")

    scores = np.array([[2.0, 0.0, -1.0]])
    soft = np.exp(scores / 4) / np.exp(scores / 4).sum()
    assert found["response"] == pytest.approx(16 * (soft * np.log(soft * 3)).sum(), rel=1e-5)  # to even scores
    assert found["response_of_itself"] == pytest.approx(0, abs=1e-6)
    assert found["sigmoid_as_two_scores"] == pytest.approx([0.0, np.log(0.8 / 0.2)], abs=1e-5)
    first, second = np.arange(8.0).reshape(4, 2), np.arange(4.0).reshape(4, 1)
    assert found["flow"] == pytest.approx((first.T @ second / 4).ravel().tolist())
    assert found["samples_scaled"] == pytest.approx(0, abs=1e-4)
    assert found["samples_bent"] > 0.05


def losses() -> dict[str, Any]:
    import tensorflow as tf

    from edgekit.passes._keras import distillation_losses as each

    scores, points = tf.constant([[2.0, 0.0, -1.0]]), tf.constant([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    flow = each.flow_matrix(tf.reshape(tf.range(8.0), [1, 2, 2, 2]), tf.reshape(tf.range(4.0), [1, 2, 2, 1]))
    return {
        "response": float(each.response(scores, tf.zeros_like(scores), 4.0)),
        "response_of_itself": float(each.response(scores, scores, 4.0)),
        "sigmoid_as_two_scores": each.logits(tf.constant([[0.8]]), are_logits=False).numpy()[0].tolist(),
        "flow": flow.numpy().ravel().tolist(),
        "samples_scaled": float(each.relation_of_samples(points, 3.0 * points)),
        "samples_bent": float(each.relation_of_samples(points, tf.constant([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]))),
    }
