"""The page that the API is read by: what its document says, cut into what a person looks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PieceKind(StrEnum):
    """How a piece of a sentence is set."""

    PLAIN = "plain"
    CODE = "code"
    STRONG = "strong"
    TYPE = "type"
    """A name that leads to the type's own place on the page."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A few words that are set alike."""

    text: str
    kind: PieceKind = PieceKind.PLAIN


Sentence = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field or parameter: its name, what it holds, what there is to say of it."""

    name: str
    type: Sentence
    required: bool
    words: Sentence = ()


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type that bodies or answers are made of."""

    name: str
    words: Sentence
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A status and the codes that come under it."""

    status: int
    words: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OperationView:
    """One method of one address. `takes` is empty where there is no body; examples are shown as they are."""

    id: str
    method: str
    path: str
    summary: str
    words: Sentence
    scope: str
    parameters: tuple[FieldRow, ...]
    takes: Sentence
    body_required: bool
    body: tuple[FieldRow, ...]
    gives: Sentence
    success: int
    refusals: tuple[RefusalRow, ...]
    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class SectionView:
    """The operations of one kind of resource."""

    name: str
    operations: tuple[OperationView, ...]


@dataclass(frozen=True, slots=True)
class ReferencePage:
    """All of it. `about` has a sentence or two for each paragraph."""

    base_url: str
    document_url: str
    about: tuple[Sentence, ...]
    sections: tuple[SectionView, ...]
    types: tuple[TypeView, ...]
