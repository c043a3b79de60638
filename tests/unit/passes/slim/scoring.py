"""Child functions of the tests that hold scores and statistics against figures made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.unit.passes.slim.topologies import answers, build, params, samples


def taylor_and_differences(name: str, folder: str) -> dict[str, Any]:
    """Taylor's scores, and the same by central differences of each sample's loss.

    What a gate on a channel does is done to the weights that read it, so that no gradient is needed.
    """
    from edgekit.passes._keras.slim.graph import trace
    from edgekit.passes._keras.slim.scores import taylor
    from edgekit.passes._train.job import TrainingJob

    model = build(name)
    kernel = model.layers[-1].kernel  # scores near one another: no probability is 0
    kernel.assign(kernel / np.abs(answers(model)[0]).max() if name != "chain" else kernel)
    x, y = samples(model)[0], np.array([0, 2, 1, 0])
    np.save(f"{folder}/x.npy", x)
    np.save(f"{folder}/y.npy", y)
    job = TrainingJob(
        source=f"{name}.h5",
        source_format="tf_keras",
        output="",
        params=params(criterion="taylor"),
        inputs=[f"{folder}/x.npy"],
        labels=f"{folder}/y.npy",
        checkpoint=None,
    )
    graph = trace(model)
    found = taylor(model, graph, job)

    def losses(channel: int, gate: float) -> Any:
        changed = []
        for layer, role in graph.roles.items():
            for variable, axis in role.readers:
                values = getattr(model.get_layer(layer), variable)
                scaled = values.numpy()
                changed.append((values, scaled.copy()))
                np.moveaxis(scaled, axis, 0)[role.slices[variable][axis] == channel] *= gate
                values.assign(scaled)
        scores = model(x, training=False).numpy().astype(np.float64)
        for values, before in changed:
            values.assign(before)
        if "softmax" not in str(model.layers[-1].get_config()["activation"]):
            scores = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        return -np.log(scores[np.arange(len(y)), y])

    step, wanted, given = 0.003, {}, {}
    for group in graph.groups:
        name, some = "+".join(group.layers), group.channels[:3].tolist()
        slopes = [(losses(each, 1 + step) - losses(each, 1 - step)) / (2 * step) for each in some]
        wanted[name] = [float((slope**2).mean()) for slope in slopes]
        given[name] = found[some].tolist()
    return {"given": given, "wanted": wanted}


def renewed(folder: str, bn_samples: int) -> dict[str, Any]:
    """Statistics of a normalization behind a dropout and a convolution, before, after and by hand."""
    import tf_keras

    from edgekit.passes._keras.slim.statistics import renew_statistics
    from edgekit.passes._train.job import TrainingJob

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(5)
    k = tf_keras.layers
    given = k.Input((4, 4, 2))
    made = k.Conv2D(3, 3, name="a")(k.Dropout(0.5, name="drop")(given))
    frozen = k.BatchNormalization(name="frozen", trainable=False)(made)
    model = tf_keras.Model(given, k.Dense(2)(k.Flatten()(k.BatchNormalization(name="norm")(frozen))))
    x = np.random.default_rng(1).normal(2.0, 3.0, size=(64, 4, 4, 2)).astype(np.float32)
    np.save(f"{folder}/x.npy", x)
    job = TrainingJob(
        source="renewed.h5",
        source_format="tf_keras",
        output="",
        params=params(bn_samples=bn_samples, batch_size=16, validation_split=0.0),
        inputs=[f"{folder}/x.npy"],
        labels=None,
        checkpoint=None,
    )
    renew_statistics(model, job)
    values = tf_keras.Model(given, frozen)(x, training=False).numpy().reshape(-1, 3)
    norm = model.get_layer("norm")
    return {
        "mean": norm.moving_mean.numpy().tolist(),
        "variance": norm.moving_variance.numpy().tolist(),
        "wanted_mean": values.mean(0).tolist(),
        "wanted_variance": values.var(0).tolist(),
        "frozen_mean": model.get_layer("frozen").moving_mean.numpy().tolist(),
        "momentum": norm.momentum,
        "rate": model.get_layer("drop").rate,
    }
