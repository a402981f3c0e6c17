"""Numbers that strangers write. Python's own reading is too kind: it takes digits of every script, signs, spaces and
underscores, and raises ValueError beyond 4,300 digits."""

INT64_MAX = (1 << 63) - 1
_DIGITS = 20


def parse_number(text: str, most: int = INT64_MAX) -> int | None:
    """The number that decimal ASCII digits tell; None for anything else, or beyond `most`."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS:
        return None
    number = int(text)
    return number if number <= most else None
