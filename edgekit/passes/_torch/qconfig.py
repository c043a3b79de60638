"""How torch observes and quantizes: activations as quint8, weights as symmetric qint8, per tensor or per channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MOVING_AVERAGE = 0.01
"""Weight of each batch in the moving average, torch's own value."""
_SIX_STEPS = {False: 255, True: 127}
"""Largest value of an activation, by whether its range is reduced."""


def qconfig(params: dict[str, Any], engine: str, *, trains: bool = False) -> Any:
    """The observers that a pass's parameters name.

    Args:
        params: "per_channel", and "observer" unless it trains.
        engine: QNNPACK computes with 8 bits, x86 and fbgemm need the activations in 7 (`reduce_range`): their
            kernels add pairs of products in 16 bits.
        trains: fake quantization in place of observers.
    """
    import torch
    from torch.ao import quantization as tq

    ao: Any = tq
    reduced = engine != "qnnpack"
    range_of = {"dtype": torch.quint8, "reduce_range": reduced}
    if trains:
        activation = ao.FakeQuantize.with_args(observer=ao.HistogramObserver, quant_min=0, quant_max=255, **range_of)
        weight = _fake_quantized_weight(ao, per_channel=params["per_channel"])
        return ao.QConfig(activation=activation, weight=weight)
    observers = {
        "min_max": ao.MinMaxObserver,
        "moving_average": ao.MovingAverageMinMaxObserver.with_args(averaging_constant=_MOVING_AVERAGE),
        "histogram": ao.HistogramObserver,
    }
    weight = ao.default_per_channel_weight_observer if params["per_channel"] else ao.default_weight_observer
    return ao.QConfig(activation=observers[params["observer"]].with_args(**range_of), weight=weight)


def clipped(params: dict[str, Any], engine: str, *, trains: bool = False) -> Any:
    """As `qconfig`, with activations from 0 to 6: the largest integer stands for 6, so that ReLU6 costs nothing."""
    import torch
    from torch.ao import quantization as tq

    ao: Any = tq
    top = _SIX_STEPS[engine != "qnnpack"]
    fixed = ao.FixedQParamsObserver.with_args(
        scale=6 / top, zero_point=0, dtype=torch.quint8, quant_min=0, quant_max=top
    )
    activation = ao.FixedQParamsFakeQuantize.with_args(observer=fixed) if trains else fixed
    return ao.QConfig(activation=activation, weight=qconfig(params, engine, trains=trains).weight)


def _fake_quantized_weight(ao: Any, *, per_channel: bool) -> Any:
    """In the range of the weights at each step, and in the steps of the conversion.

    Those of torch's fused fake quantization are up to 0.4 % apart from them, so that what was trained is not what is
    written (torch 2.13).
    """
    import torch

    kind, scheme = (
        (ao.MovingAveragePerChannelMinMaxObserver, torch.per_channel_symmetric)
        if per_channel
        else (ao.MovingAverageMinMaxObserver, torch.per_tensor_symmetric)
    )
    return ao.FakeQuantize.with_args(
        observer=kind, averaging_constant=1.0, dtype=torch.qint8, qscheme=scheme, quant_min=-128, quant_max=127
    )


def mapping(
    params: dict[str, Any],
    engine: str,
    keep_float: Sequence[str],
    *,
    clips: Sequence[Sequence[str]] = (),
    trains: bool = False,
) -> Any:
    """The same for FX graph mode: torch's own exceptions for operators stay (fixed ranges of sigmoid, say).

    Args:
        params, engine, trains: as for `qconfig`.
        keep_float: names of layers without a configuration.
        clips: names of layers that fuse and end with ReLU6, as `graph_quantizing.fuse_clips` gives them.
    """
    from torch import nn
    from torch.ao import quantization as tq
    from torch.ao.quantization import qconfig_mapping as defaults

    ao: Any = tq
    chosen = qconfig(params, engine, trains=trains)
    get: Any = defaults.get_default_qat_qconfig_mapping if trains else defaults.get_default_qconfig_mapping
    found = get("qnnpack" if engine == "qnnpack" else "x86")
    ordinary = found.global_qconfig
    for kind, special in list(found.object_type_qconfigs.items()):
        if special is not None and special.activation is ordinary.activation:
            own_weight = None if special.weight is ordinary.weight else special.weight
            if params["per_channel"] and _is_transposed(kind):  # no engine has such kernels per channel
                own_weight = _fake_quantized_weight(ao, per_channel=False) if trains else ao.default_weight_observer
            found.set_object_type(kind, ao.QConfig(activation=chosen.activation, weight=own_weight or chosen.weight))
    found.set_global(chosen)
    for kind in (nn.PReLU, nn.functional.prelu):  # wrong on channels last, as quantized convolutions give it
        found.set_object_type(kind, None)
    for group in clips:
        own = None if set(group) & set(keep_float) else clipped(params, engine, trains=trains)
        for name in group:
            found.set_module_name(name, own)
    for name in keep_float:
        found.set_module_name(name, None)
    return found


def _is_transposed(kind: Any) -> bool:
    return "transpose" in getattr(kind, "__name__", "").lower()
