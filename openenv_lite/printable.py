"""What others wrote, made fit for a terminal: nothing in it moves a cursor or sets a title."""

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""The text with what a terminal might obey written as Python writes it, an escape as `\x1b`.

    Lines stay lines.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _named(each) for each in text)


def _named(character: str) -> str:
    return repr(character)[1:-1]
