"""Bar lines in one spelling each: | || |] |: :| and :: (ABC 2.1 §4.8)."""


def spell_bar_line(text: str) -> str:
    """The one spelling of a bar line.

    >>> [spell_bar_line(text) for text in ("|", ".|", "[|", "|||:", ":||:", ":|]")]
    ['|', '|', '||', '|:', '::', ':|']
    """
    text = text.lstrip(".")
    closes, opens = text.startswith(":"), text.endswith(":")
    if closes or opens:
        return "::" if closes and opens else (":|" if closes else "|:")
    if "]" in text:
        return "|]"
    return "||" if "||" in text or "[" in text else "|"


def join_bar_lines(first: str, second: str) -> str:
    """The bar line for two with nothing between them, the stronger one; either may be "".

    >>> join_bar_lines(":|", "|:"), join_bar_lines("|", "|]"), join_bar_lines("|", "|")
    ('::', '|]', '|')
    """
    spelled = [spell_bar_line(text) for text in (first, second) if text]
    if any(text[0] == ":" for text in spelled):
        return "::" if any(text[-1] == ":" for text in spelled) else ":|"
    # By strength: the start of a repeat, then a final, a double, a single bar line.
    return max(spelled, key=("|", "||", "|]", "|:").index)
