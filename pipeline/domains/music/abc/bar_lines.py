"""Bar lines of ABC 2.1 §4.8 in one spelling each."""


def spell_bar_line(text: str) -> str:
    """One spelling for each bar line (§4.8): | || |] |: :| ::

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
    """One bar line for two with nothing between them, the stronger; either may be "".

    >>> join_bar_lines(":|", "|:"), join_bar_lines("|", "|]"), join_bar_lines("|", "|")
    ('::', '|]', '|')
    """
    spelled = [spell_bar_line(text) for text in (first, second) if text]
    if any(text[0] == ":" for text in spelled):
        return "::" if any(text[-1] == ":" for text in spelled) else ":|"
    # The rest by strength: a start of a repeat, a final, a double, a single bar line.
    return max(spelled, key=("|", "||", "|]", "|:").index)
