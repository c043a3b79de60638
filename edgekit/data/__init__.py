"""Data sets from files, folders and the user's own functions; one loader a file."""

from __future__ import annotations

from edgekit.data._fit import check_against_model, check_labels
from edgekit.data._labels import read_class_names
from edgekit.data._load import load_dataset

__all__ = ["check_against_model", "check_labels", "load_dataset", "read_class_names"]
