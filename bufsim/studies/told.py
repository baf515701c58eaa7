"""How an answer shows itself: in sentences, and in a notebook with its table below them."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod

import pandas as pd


class Told(ABC):
    """An answer that is told in sentences, and whose numbers can be had as a table."""

    __slots__ = ()

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return the answer in words, a sentence or a few an element."""

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """Return the answer's numbers."""

    def __repr__(self) -> str:
        return "\n".join(self.sentences())

    def _repr_html_(self) -> str:
        told = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences())
        return told + str(self.table().to_html(index=False))
