"""Answers: decisions that read as sentences, and whose numbers are tables."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod

import pandas as pd


class Answer(ABC):
    """An answer to a question about a study: text in a console, text and a table in a notebook."""

    __slots__ = ()

    @abstractmethod
    def sentences(self) -> list[str]:
        """The answer in words, a sentence or a few an element."""

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """The answer's numbers."""

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences())
        return paragraphs + str(self.table().to_html(index=False))
