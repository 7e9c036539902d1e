"""Reads a page for the tests: its elements, headings and text, refusing tags that are not closed in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


@dataclass
class Element:
    """One element of a page, with its attributes, its own text and its children."""

    tag: str
    attributes: dict[str, str | None]
    parents: tuple[str, ...]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, tag: str) -> list[Element]:
        """Descendants with this tag, in document order."""
        found = []
        for child in self.children:
            if child.tag == tag:
                found.append(child)
            found.extend(child.find(tag))
        return found

    @property
    def all_text(self) -> str:
        """Text of the element and its descendants (own text first: order inside does not matter to the tests)."""
        return self.text + "".join(child.all_text for child in self.children)


class Page(HTMLParser):
    """A parsed page; building it fails when tags are not closed in order or an attribute is written twice."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#root", {}, ())
        self._stack = [self.root]
        self.text = ""
        self.feed(html)
        self.close()
        assert len(self._stack) == 1, f"never closed: {[element.tag for element in self._stack[1:]]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"attribute written twice on <{tag}>: {names}"
        element = Element(tag, dict(attrs), tuple(parent.tag for parent in self._stack[1:]))
        self._stack[-1].children.append(element)
        if tag not in VOID:
            self._stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._stack[-1].children.append(Element(tag, dict(attrs), tuple(parent.tag for parent in self._stack[1:])))

    def handle_endtag(self, tag: str) -> None:
        assert self._stack[-1].tag == tag, f"</{tag}> closes <{self._stack[-1].tag}>"
        self._stack.pop()

    def handle_data(self, data: str) -> None:
        self._stack[-1].text += data
        if self._stack[-1].tag not in {"style", "script"}:
            self.text += data

    def find(self, tag: str) -> list[Element]:
        return self.root.find(tag)

    @property
    def words(self) -> str:
        """Text of the page with runs of ordinary white space made one space; no-break spaces stay."""
        return " ".join(self.text.split(" ")).replace("\n", " ")
