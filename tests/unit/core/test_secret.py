"""A secret shows itself to `reveal` alone."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import pytest

from edgekit.core.secret import Secret

SECRET = Secret(b"hunter2")


def test_reveal_gives_the_bytes():
    assert SECRET.reveal() == b"hunter2"


@pytest.mark.parametrize("text", [str(SECRET), repr(SECRET), f"{SECRET}", f"{[SECRET]}", f"{SECRET!r:>30}"])
def test_text_of_a_secret_is_a_placeholder(text: str):
    assert "hunter2" not in text
    assert "<secret>" in text


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps, hash])
def test_secret_is_not_written_or_kept(write: Callable[[object], object]):
    with pytest.raises(TypeError) as caught:
        write(SECRET)

    assert "hunter2" not in str(caught.value)


def test_equal_secrets_are_equal():
    assert Secret(b"hunter2") == SECRET
    assert Secret(b"hunter3") != SECRET
    assert SECRET != b"hunter2"
