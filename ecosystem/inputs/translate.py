"""From the words of pydantic to ours: what a model refuses becomes faults, all of them at once.

What may stand in a field is said by the check of ours that reads it (`read_by`), or else by its
``description``, or else by its type and bounds. A ValueError of a validator says what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
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
TABLE = "a table of names and values"


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
        loc = [part for part in item["loc"] if part != "[key]"]
        steps = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
        here = f"{place}{''.join(steps).removeprefix('.')}" if loc else place.rstrip(":. ")
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
        elif item["type"] == "extra_forbidden":
            keys = list(_fields(_field(model, loc[:-1]).annotation))
            value, allowed, close = loc[-1], one_of(keys), nearest(loc[-1], keys)
        else:
            value = None if item["type"] == "missing" else value
            field = _field(model, loc)
            allowed = _words(field)
            close = nearest(value, _choices(field.annotation)) if isinstance(value, str) else ""
        faults.setdefault(here, Fault(here, value, allowed, close))
    return list(faults.values())


def _field(model: Any, loc: Sequence[str | int]) -> FieldInfo:
    """Return the field at a path into a model; for no path, that of a whole model."""
    field = FieldInfo.from_annotation(model)
    for part in loc:
        fields = _fields(field.annotation)
        items = get_args(_plain(field.annotation))  # of a list, tuple or mapping
        inner = [kind for kind in items if kind is not ...]
        field = fields[str(part)] if fields else FieldInfo.from_annotation(inner[-1])
    return field


def _fields(annotation: Any) -> dict[str, FieldInfo]:
    """Return the fields of a model as a user writes them; none of anything else."""
    fields = getattr(_plain(annotation), "__pydantic_fields__", {})
    return {field.alias or name: field for name, field in fields.items()}


def _plain(annotation: Any) -> Any:
    """Return a type without what annotates it and without None."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return _plain(get_args(annotation)[0])
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
    if kind in (int, float):
        ends = {
            end: getattr(bound, end)
            for bound in field.metadata
            for end in ("ge", "gt", "le", "lt")
            if hasattr(bound, end)
        }
        return number_in_words(**ends, whole=kind is int)
    return {bool: "true or false", str: "a text"}.get(kind, TABLE)
