"""The losses of distillation, each from its paper; tensors [batch, channels, ...] in, one number a batch out."""

from __future__ import annotations

from typing import Any

_TINY = 1e-7


def logits(outputs: Any, *, are_probabilities: bool) -> Any:
    """Scores before the softmax, shape [batch, classes].

    Probabilities become logits by their logarithm, which differs from the original ones by a constant that the softmax
    ignores. A single sigmoid score z becomes the two scores 0 and z.
    """
    import torch

    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        if are_probabilities:
            outputs = torch.logit(outputs.clamp(_TINY, 1 - _TINY))
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return outputs.clamp(min=_TINY).log() if are_probabilities else outputs


def response(teacher: Any, student: Any, temperature: float) -> Any:
    """Kullback-Leibler divergence of softened scores times the squared temperature (Hinton et al. 2015, section 2).

    Args:
        teacher, student: logits of shape [batch, classes].
        temperature: divides both.
    """
    from torch.nn import functional

    soft = [functional.log_softmax(each / temperature, dim=1) for each in (student, teacher)]
    return temperature**2 * functional.kl_div(soft[0], soft[1], reduction="batchmean", log_target=True)


def feature(teacher: Any, student: Any) -> Any:
    """Mean squared difference of two feature maps of one shape (Romero et al. 2015, equation 3)."""
    from torch.nn import functional

    return functional.mse_loss(student, teacher)


def flow_matrix(first: Any, second: Any) -> Any:
    """Inner products of the channels of two feature maps over all places, shape [batch, channels 1, channels 2].

    Yim et al. 2017, equation 1; a larger map is shrunk to the smaller one by average pooling.

    Args:
        first, second: of shape [batch, channels, height, width].
    """
    import torch
    from torch.nn import functional

    places = [min(sizes) for sizes in zip(first.shape[2:], second.shape[2:], strict=True)]
    maps = [
        functional.adaptive_avg_pool2d(each, places) if list(each.shape[2:]) != places else each
        for each in (first, second)
    ]
    return torch.einsum("nchw,ndhw->ncd", *maps) / (places[0] * places[1])


def relation_of_samples(teacher: Any, student: Any) -> Any:
    """Huber losses of pairwise distances and of angles of triples, weighted 1 and 2 (Park et al. 2019, section 3.2).

    Args:
        teacher, student: embeddings of shape [batch, ...]; their sizes may differ.
    """
    from torch.nn import functional

    flat = [each.reshape(len(each), -1) for each in (teacher, student)]
    distances = [_distances(each) for each in flat]
    angles = [_angles(each) for each in flat]
    return functional.smooth_l1_loss(distances[1], distances[0]) + 2 * functional.smooth_l1_loss(angles[1], angles[0])


def _distances(points: Any) -> Any:
    """Euclidean distances of all pairs over their mean, shape [batch, batch]."""
    squared = (points[:, None] - points[None, :]).square().sum(-1)
    distances = squared.clamp(min=_TINY).sqrt()
    return distances / distances.mean().clamp(min=_TINY)


def _angles(points: Any) -> Any:
    """Cosines of the angles of all triples, shape [batch, batch, batch]."""
    from torch.nn import functional

    directions = functional.normalize(points[None, :] - points[:, None], dim=-1, eps=_TINY)
    return directions @ directions.transpose(1, 2)
