"""HTML, built so that whatever is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from bufsim.errors import harmless


class Markup(str):
    """Text that is HTML already; any other text is escaped before it comes in."""

    __slots__ = ()


BREAK = Markup("<br>")
"""The end of a line."""
Content = object
"""Content of an element: markup, text or numbers (which are escaped), None (nothing), or several of these."""


def content(*parts: Content) -> Markup:
    """Return parts as markup, one after the other.

    Examples
    --------
    >>> content("a < b", None, Markup("<br>"), [1, " & 2"])
    'a &lt; b<br>1 &amp; 2'
    """
    written = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, Markup):
            written.append(str(part))
        elif isinstance(part, Iterable) and not isinstance(part, str):
            written.append(str(content(*part)))
        else:
            written.append(html.escape(harmless(str(part), keep="\n\t")))
    return Markup("".join(written))


def tag(name: str, *parts: Content, **attributes: str) -> Markup:
    """Return an element; an attribute's trailing underscore is left out, so that ``class_`` is one.

    Examples
    --------
    >>> tag("p", "5 > 3", class_="note")
    '<p class="note">5 &gt; 3</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(harmless(value))}"'
        for key, value in attributes.items()
        if value
    )
    return Markup(f"<{name}{written}>{content(*parts)}</{name}>")


def paragraphs(texts: Iterable[Content], **attributes: str) -> Markup:
    """Return a paragraph a text."""
    return content(tag("p", text, **attributes) for text in texts)


def bullets(items: Iterable[Content], **attributes: str) -> Markup:
    """Return a list."""
    return tag("ul", (tag("li", item) for item in items), **attributes)


def table(
    head: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    caption: Content = None,
    classes: Sequence[str] = (),
    class_: str = "",
) -> Markup:
    """Return a table: the first cell of each row is its head.

    Parameters
    ----------
    head : sequence
        What stands over the columns.
    rows : iterable of sequence
        The cells.
    caption : optional
        What stands over the table.
    classes : sequence of str
        A class for each row, "" for none.
    class_ : str
        A class for the table.
    """
    lines = list(rows)
    kinds = [*classes, *[""] * (len(lines) - len(classes))]
    body = (
        tag("tr", tag("th", first, scope="row"), (tag("td", cell) for cell in others), class_=kind)
        for (first, *others), kind in zip(lines, kinds, strict=True)
    )
    return tag(
        "table",
        None if caption is None else tag("caption", caption),
        tag("thead", tag("tr", (tag("th", cell, scope="col") for cell in head))),
        tag("tbody", body),
        class_=class_,
    )
