"""A picture as a value: its fields are its parameters, `frame` gives the numbers drawn, and `draw` draws them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")
D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)

_NOTE = """

Notes
-----
Called as a property of ``result.plot``, where the first parameter is filled in, it draws on ``ax`` (Axes, one for each
panel; None: a new figure), and ``.frame(...)`` returns the numbers that it draws."""


class Picture(Protocol[D_co]):
    """A frozen value whose first field is what is drawn, and whose others are how."""

    def frame(self) -> pd.DataFrame:
        """Return the numbers that are drawn, a tidy table."""

    def draw(self, ax: Any = None) -> D_co:
        """Draw on `ax`, or on a new figure, and return the Axes; nothing is shown."""


class Drawing(Generic[P, D]):
    """A picture of one result: called with the picture's parameters it draws; `frame` takes the same.

    Parameters
    ----------
    picture : type of Picture
        The picture.
    subject : Result or StudyResult
        What is drawn, the picture's first parameter.
    """

    def __init__(self, picture: Callable[Concatenate[Any, P], Picture[D]], subject: Any) -> None:
        self._picture = picture
        self._subject = subject
        self.__doc__ = (inspect.getdoc(picture) or "") + _NOTE

    # a ParamSpec takes no keyword beside its own: with ax, parameters are checked when it is called
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> D: ...
    @overload
    def __call__(self, *args: Any, ax: Axes | Sequence[Axes] | None, **kwargs: Any) -> D: ...
    def __call__(self, *args: Any, **kwargs: Any) -> D:
        """Draw on `ax`, or on a new figure."""
        ax = kwargs.pop("ax", None)
        return self._made(*args, **kwargs).draw(ax)

    def frame(self, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        """Return the numbers that are drawn, a tidy table."""
        return self._made(*args, **kwargs).frame()

    def _made(self, *args: Any, **kwargs: Any) -> Picture[D]:
        """Return the picture; its intervals have the confidence of the result, unless another is given."""
        if "confidence" in inspect.signature(self._picture).parameters:
            kwargs.setdefault("confidence", self._subject.confidence)
        return self._picture(self._subject, *args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        _, *parameters = inspect.signature(self._picture).parameters.values()
        ax = inspect.Parameter("ax", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Axes | None")
        return inspect.Signature([*parameters, ax], return_annotation="Axes")


class Drawn(Generic[P, D]):
    """A picture among those of a result: ``result.plot.waits`` is the `Drawing` of that result.

    Parameters
    ----------
    picture : type of Picture
        The picture.
    """

    def __init__(self, picture: Callable[Concatenate[Any, P], Picture[D]]) -> None:
        self.picture = picture
        self.__doc__ = picture.__doc__

    @overload
    def __get__(self, plots: None, owner: type[Plots]) -> Drawn[P, D]: ...
    @overload
    def __get__(self, plots: Plots, owner: type[Plots]) -> Drawing[P, D]: ...
    def __get__(self, plots: Plots | None, owner: type[Plots]) -> Drawn[P, D] | Drawing[P, D]:
        """Return the picture of the result, ready to be called."""
        return self if plots is None else Drawing(self.picture, plots.subject)


@dataclass(frozen=True, slots=True, eq=False)
class Plots:
    """The pictures of one result, each a `Drawn`.

    Parameters
    ----------
    subject : Result or StudyResult
        What is drawn.
    """

    subject: Any

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the pictures."""
        return [name for name, value in vars(cls).items() if isinstance(value, Drawn)]
