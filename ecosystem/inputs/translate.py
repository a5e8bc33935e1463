"""From the words of pydantic to ours: what a model refuses becomes faults, all of them at once.

What may stand in a field is said by the check of ours that reads it (`read_by`), or else by its
``description``, or else by its type and bounds. A ValueError of a validator says what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo

from ecosystem.inputs.faults import (
    Fault,
    FaultList,
    InputError,
    nearest,
    number_in_words,
    one_of,
)

Model = TypeVar("Model", bound=BaseModel)
MAPPINGS = (dict, Mapping)
HOLDERS = (list, tuple, Sequence, *MAPPINGS)
NONE = type(None)
TABLE = "a table of names and values"
PLAIN = {bool: "true or false", str: "a text", Path: "a path"}


def read_by(check: Callable[[FaultList, Any], Any]) -> BeforeValidator:
    """Return a validator that reads a value with one of our own checks, in our own words.

    The check notes its faults at the place "", or ``.key`` and ``[0]`` for parts of the value; a
    place that begins otherwise, such as a file, stands as it is.
    """

    def validate(value: Any) -> Any:
        faults = FaultList()
        found = check(faults, value)
        faults.raise_if_any()
        return found

    return BeforeValidator(validate)


def name_among(valid: Callable[[], Iterable[str]]) -> BeforeValidator:
    """Return the validator of a name that has to be one of those that ``valid`` returns."""
    return read_by(lambda faults, value: faults.name("", value, valid()))


def number_from(
    low: float | None = None, high: float | None = None, unit: str = ""
) -> BeforeValidator:
    """Return the validator of a finite real number from low to high, None being open."""
    return read_by(lambda faults, value: faults.number("", value, low, high, unit))


def whole_from(least: int) -> BeforeValidator:
    """Return the validator of a whole number of at least so much, NumPy's included."""
    return read_by(lambda faults, value: faults.whole("", value, least))


def read(model: type[Model], content: object, place: str, faults: FaultList) -> Model | None:
    """Return content as a model, or None after noting everything that is wrong with it.

    Parameters
    ----------
    model : type
        What the content has to fit.
    content : object
        What was written.
    place : str
        Where it was written, up to where keys begin: ``mine.toml: ``.
    faults : FaultList
        Takes what is wrong.
    """
    try:
        return model.model_validate(_as_dict(content))
    except ValidationError as error:
        faults.faults += translate(error, model, place)
        return None


def read_what_fits(model: type[Model], content: object, place: str, faults: FaultList) -> Model:
    """Return content as a model whose keys have defaults; what is wrong is noted and left out."""
    try:
        return model.model_validate(_as_dict(content))
    except ValidationError as error:
        faults.faults += translate(error, model, place)
        wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
        rest = content if isinstance(content, Mapping) and wrong else {}
        return model.model_validate({key: rest[key] for key in rest if key not in wrong})


def _as_dict(content: object) -> object:
    return dict(content) if isinstance(content, Mapping) else content


def translate(error: ValidationError, model: type[Any], place: str = "") -> list[Fault]:
    """Return what pydantic found wrong as faults, one for each place.

    Parameters
    ----------
    error : ValidationError
        From validating ``model``.
    model : type
        A pydantic model or dataclass.
    place : str
        Where the content was written, up to where keys begin: ``mine.toml: ``.
    """
    faults: dict[str, Fault] = {}
    for item in error.errors(include_url=False):
        path, keys, field = _walk(model, item["loc"])
        here = f"{place}{path}" if path else place.rstrip(":. ")
        value, reason, close = item["input"], item.get("ctx", {}).get("error"), ""
        if isinstance(reason, InputError):  # of a check of ours
            for fault in reason.faults:
                inside = not fault.place or fault.place[0] in ".["
                inner = f"{here}{fault.place}" if inside else fault.place
                faults[f"{inner} {fault.value!r}"] = replace(fault, place=inner)
            continue
        if reason:
            allowed = str(reason)
            if isinstance(value, Mapping):
                value = value.get("name", value)  # of a whole row, its name says enough
        elif keys:
            value, close = item["loc"][-1], nearest(item["loc"][-1], keys)
            allowed = one_of(keys)
        else:
            value = None if item["type"] == "missing" else value
            names = _choices(field.annotation) if field else []
            allowed = _words(field) if field else TABLE
            close = nearest(value, names) if isinstance(value, str) else ""
        faults.setdefault(here, Fault(here, value, allowed, close))
    return list(faults.values())


def _walk(model: Any, loc: tuple[str | int, ...]) -> tuple[str, list[str], FieldInfo | None]:
    """Follow a path into a model.

    Returns
    -------
    path : str
        In our form, such as ``instrument[0].rate``; it ends where pydantic's leaves what a user
        wrote, as inside a union.
    keys : list of str
        The valid ones, where the last step of the path is a mistyped key.
    field : FieldInfo or None
        The field at the end of the path.
    """
    kind, field, path = model, None, ""
    for part in loc:
        fields = getattr(kind, "__pydantic_fields__", None)
        if fields is not None:
            keys = {found.alias or name: found for name, found in fields.items()}
            path += f".{part}" if path else str(part)
            if part not in keys:
                return path, list(keys), None
            field = keys[str(part)]
            kind = _plain(field.annotation)
        elif get_origin(kind) in HOLDERS and part != "[key]":
            path += f"[{part}]" if isinstance(part, int) else f".{part}"
            item = get_args(kind)[-1 if get_origin(kind) in MAPPINGS else 0]
            field, kind = FieldInfo.from_annotation(item), _plain(item)
        else:
            break
    return path, [], field


def _plain(annotation: Any) -> Any:
    """Return a type without what annotates it and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NONE]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _choices(annotation: Any) -> list[str]:
    """Return the names that a field of named choices may hold."""
    kind = _plain(annotation)
    names = get_args(kind) if get_origin(kind) is Literal else ()
    return [str(name) for name in names if name != ""]


def _words(field: FieldInfo) -> str:
    """Say what may stand in a field: its description, or else what its type and bounds say."""
    if field.description:
        return field.description
    kind = _plain(field.annotation)
    if names := _choices(kind):
        return one_of(names)
    if get_origin(kind) in (Union, UnionType):
        members = [FieldInfo.from_annotation(member) for member in get_args(kind)]
        return " or ".join(_words(member) for member in members if member.annotation is not NONE)
    if kind in (int, float):
        ends = {
            end: getattr(bound, end)
            for bound in field.metadata
            for end in ("ge", "gt", "le", "lt")
            if hasattr(bound, end)
        }
        return number_in_words(**ends, whole=kind is int)
    if get_origin(kind) in (list, tuple, Sequence):
        item = FieldInfo.from_annotation(get_args(kind)[0])
        return f"a list, each item {_words(item)}"
    return PLAIN.get(kind, TABLE)
