"""P20: a hostile model cannot take down or escape the agent. And the experiment sees it when one does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.lab.altered_agent import Change, altered
from edgekit.selftest.lab.assailed_agent import AssailedAgent
from edgekit.selftest.lab.hostile_models import hostile_models
from edgekit.selftest.promise import Scale
from tests.faults.conftest import Holds


def test_no_model_takes_the_agent_down(holds: Holds) -> None:
    holds("P20")


@pytest.mark.full
def test_no_model_takes_the_agent_down_in_full(holds: Holds) -> None:
    holds("P20", Scale.FULL)


def does(folder: Path, action: str, *changes: Change) -> tuple[str, str]:
    """How an action of the hostile runtime ends below a changed agent, and what is wrong."""
    with AssailedAgent(folder / "device", program=altered(*changes)) as agent:
        return agent.assail(
            action.encode(), runtime="hostile", format_="hostile", inputs=[((1, 4), "float32")], timeout_s=3.0
        )


def test_process_that_is_left_behind_is_found_out(tmp_path: Path) -> None:
    end, wrong = does(tmp_path, "leave_the_session", ("@strays.ended()\n", ""))

    assert (end, wrong.partition(" ")[2]) == ("ok", "processes are left")


def test_answer_that_is_taken_unchecked_is_found_out(tmp_path: Path) -> None:
    end, wrong = does(
        tmp_path, "answer_from_beyond_the_outputs", ("_check_outputs(result, os.fstat", "(lambda *_: None)(os.fstat")
    )

    assert (end, wrong) != ("error", "")


def test_crash_without_its_signal_is_found_out(tmp_path: Path) -> None:
    found = does(tmp_path, "segfault", ("signal.Signals(killed_by).name", '"something"'))

    assert found == ("signal", "the signal is not named")


def test_word_of_a_model_in_the_agents_name_is_found_out(tmp_path: Path) -> None:
    _, wrong = does(tmp_path, "answer_with_a_code_of_its_own", ("if code in _CODES else None", "if code else None"))

    assert wrong.startswith("the answer is E_TRUST")


def test_file_that_a_model_makes_is_found_out(tmp_path: Path) -> None:
    model = next(model for model in hostile_models() if model.name == "ptl/save_a_file")
    weak = altered(("                _refuse_files(torch, path)\n", ""))

    with AssailedAgent(tmp_path / "device", program=weak) as agent:
        _, wrong = agent.assail(model.data, runtime="torch_mobile", format_="ptl", inputs=model.inputs, timeout_s=60)

    assert wrong == "there are new files: ['root/canary-of-a-model']"
