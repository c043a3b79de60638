"""Frozen records: what of `dataclasses` the agent needs, without its import.

On a slow device `dataclasses` takes a quarter of the agent's start: it imports inspect, which imports a compiler's
worth of modules, and it compiles every method of every class. The type checker sees the original.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import asdict as asdict
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:

    class _Factory:
        """A default that is made anew for each record."""

        def __init__(self, make):
            self.make = make

    class _Record:
        """The methods of every record."""

        def __init__(self, *values, **named):
            given = dict(zip(self._fields, values), **named)  # noqa: B905 -- Python 3.8 has no strict
            if len(values) + len(named) != len(given) or not set(given) <= set(self._fields):
                raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}")
            for name in self._fields:
                if name in given:
                    value = given[name]
                elif name in self._defaults:
                    value = self._defaults[name]
                    value = value.make() if isinstance(value, _Factory) else value
                else:
                    raise TypeError(f"{type(self).__name__} needs {name}")
                self.__dict__[name] = value

        def __setattr__(self, name, value):
            raise AttributeError(f"cannot assign to {name!r}")

        def __delattr__(self, name):
            raise AttributeError(f"cannot delete {name!r}")

        def __eq__(self, other):
            return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

        def __hash__(self):
            return hash(tuple(self.__dict__.values()))

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def field(*, default_factory):
        """A field whose default is made anew for each record."""
        return _Factory(default_factory)

    def dataclass(*, frozen):
        """Make a frozen record of a class with annotated fields and no base."""
        assert frozen

        def made(cls):
            names = tuple(cls.__annotations__)
            members = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
            members["_fields"] = names
            members["_defaults"] = {name: members.pop(name) for name in names if name in members}
            return type(cls.__name__, (_Record,), members)

        return made

    def replace(record, **changes):
        """A copy with other values."""
        return type(record)(**dict(record.__dict__, **changes))

    def asdict(record):
        """The fields by name, records in them too; the containers are copies."""
        return _plain(record)

    def _plain(value):
        if isinstance(value, _Record):
            return {name: _plain(inner) for name, inner in value.__dict__.items()}
        if isinstance(value, dict):
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(_plain(inner) for inner in value)
        return value
