"""How exercises speak: accessible rich text in a notebook, plain text everywhere else.

All texts are written in one small format: blocks with a blank line between them, a block indented
by four spaces is code, and `` `backticks` `` mark code within a sentence. As plain text it reads well as it
stands; `to_html` turns it into paragraphs and code. No colour carries meaning, so themes may do what they like.
"""

import html
import re
from dataclasses import dataclass

_INDENT = "    "


def to_html(text):
    """Translate a text in the small format to HTML; everything in it is escaped."""
    # A block is either indented code, which may have blank lines within, or lines up to the next blank one.
    blocks = re.findall(rf"(?:^{_INDENT}.*\n(?:\n(?={_INDENT}))*)+|(?:^(?!{_INDENT}).+\n)+", text + "\n", re.M)
    return "".join(_block_to_html(block.rstrip("\n")) for block in blocks)


def _block_to_html(block):
    if block.startswith(_INDENT):
        code = "\n".join(line.removeprefix(_INDENT) for line in block.split("\n"))
        return f'<pre style="white-space: pre-wrap"><code>{html.escape(code)}</code></pre>'
    # The pieces between backticks are code: every second one.
    pieces = html.escape(" ".join(block.split("\n"))).split("`")
    return "<p>" + "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces)) + "</p>"


def indented(lines):
    """Make a code block of the small format from lines."""
    return "\n".join(_INDENT + line if line else "" for line in lines)


class Text:
    """Something to read, with a `title` and a `body` in the small format."""

    def __str__(self):
        return f"{self.title}\n\n{self.body}"

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        title = re.sub("`(.*?)`", r"<code>\1</code>", html.escape(self.title))
        border = "border-inline-start: 0.25em solid; padding-inline-start: 0.75em"  # in the colour of the text
        rich = f'<div style="{border}"><p><strong>{title}</strong></p>{to_html(self.body)}</div>'
        return {"text/plain": str(self), "text/html": rich}


@dataclass(frozen=True, repr=False)
class Verdict(Text):
    """What a check has to say. It counts as true exactly when the answer is right.

    Attributes
    ----------
    passed : bool
    mistake : str or None
        A name in `MISTAKES`; None when the answer is right.
    message : str
        Why the answer is right, or the smallest example that shows that it is not. What to change is told by
        `hint`, when somebody asks.
    asks : str
        What the title of a wrong answer goes on with: mostly a question that leads to the mistake.
    """

    passed: bool
    mistake: str | None
    message: str
    asks: str = ""

    def __bool__(self):
        return self.passed

    @property
    def title(self):
        """The verdict in a few words, without the name of a mistake: that is for code."""
        if self.passed:
            return "Right"
        if self.mistake == "unanswered":
            return "Not answered yet"
        return f"Not yet: {self.asks}" if self.asks else "Not yet"

    @property
    def body(self):
        """The message."""
        return self.message


@dataclass(frozen=True, repr=False)
class Hint(Text):
    """A push in the right direction."""

    name: str
    hint: str

    @property
    def title(self):
        """What the hint is for."""
        return f"A hint for `{self.name}`"

    @property
    def body(self):
        """The hint."""
        return self.hint


@dataclass(frozen=True, repr=False)
class Solution(Text):
    """One readable solution: its `source` needs only ``import numpy as np``; `why` says why it works."""

    name: str
    source: str
    why: str

    @property
    def title(self):
        """What this is a solution of."""
        return f"One solution of `{self.name}`, and why it works"

    @property
    def body(self):
        """Source and reason."""
        return f"{indented(self.source.splitlines())}\n\n{self.why}"
