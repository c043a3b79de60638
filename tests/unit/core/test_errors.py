"""The error tree: exit codes as the architecture has them, and errors that cross a process boundary unharmed."""

from __future__ import annotations

import json

import pytest

from edgekit.core import errors
from edgekit.core.errors import DeviceError, EdgekitError, from_json

EXIT_CODES = {
    "GateFailedError": 1,
    "UsageError": 2,
    "ConfigurationError": 3,
    "InputError": 3,
    "VerificationError": 4,
    "TrustError": 5,
    "HostKeyError": 5,
    "AuthenticationError": 5,
    "NetworkError": 6,
    "DeadlineError": 6,
    "DeviceError": 7,
    "ProtocolError": 7,
    "StorageError": 8,
    "LockedError": 9,
    "RolledBackError": 10,
    "MeasurementError": 11,
    "PartialFleetError": 13,
    "UnsupportedError": 14,
    "MalformedModelError": 14,
    "InternalError": 70,
    "InterruptedByUserError": 130,
    "TerminatedError": 143,
}
"""docs of the design, "Exit codes"; two classes may share a number, none may invent one."""

CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, EdgekitError)
}


def test_tree_holds_exactly_the_classes_of_the_table():
    assert CLASSES.keys() - {"EdgekitError"} == EXIT_CODES.keys()


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_exit_code_is_the_tables(name, code):
    assert CLASSES[name].exit_code == code


def test_codes_are_unique():
    codes = [cls.code for cls in CLASSES.values()]

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("name", EXIT_CODES)
def test_tree_in_the_docstring_names_every_class(name):
    assert f" {name} " in f"{errors.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_error_survives_json(cls):
    error = cls("7 of 9 µ\n\x00 lost", hint="count again", need_bytes=3, names=["a", "b"])

    copy = from_json(json.loads(json.dumps(error.as_json())))

    assert type(copy) is cls
    assert (copy.message, copy.hint, copy.details) == (error.message, error.hint, error.details)
    assert str(copy) == error.message
    assert copy.exit_code == cls.exit_code


def test_error_without_a_hint_survives_json():
    assert from_json(EdgekitError("gone").as_json()).hint is None


@pytest.mark.parametrize("code", ["E_FROM_THE_FUTURE", None, 5, ["E_USAGE"]])
def test_unknown_code_becomes_a_device_error(code):
    error = from_json({"code": code, "message": "no"})

    assert type(error) is DeviceError
    assert error.message == "no"


def test_error_whose_details_claim_the_messages_name_keeps_the_message():
    error = from_json(
        {"code": "E_INPUT", "message": "real", "hint": "h", "details": {"message": "fake", "hint": "x", "n": 1}}
    )

    assert (error.message, error.hint, error.details) == ("real", "h", {"n": 1})


@pytest.mark.parametrize("details", [None, "text", [1], 3, {"self": 1}, {"code": "x"}])
def test_odd_details_do_not_break_the_reader(details):
    error = from_json({"code": "E_INPUT", "message": "m", "details": details})

    assert error.message == "m"


def test_error_without_a_message_says_so():
    assert "without a message" in from_json({}).message


def test_every_error_that_edgekit_defines_stands_in_the_tree():
    """A class elsewhere is unknown to a process that did not import its module, and so would change its code."""
    import importlib
    import pkgutil

    import edgekit

    for package in ("core", "bundle", "config", "data", "sources", "passes", "transports", "device", "store"):
        folder = importlib.import_module(f"edgekit.{package}")
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            importlib.import_module(module.name)

    def below(cls: type) -> set[type]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    strangers = {cls for cls in below(EdgekitError) if cls.__module__.startswith(edgekit.__name__)} - set(
        CLASSES.values()
    )
    assert not strangers
