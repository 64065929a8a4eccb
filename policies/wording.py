"""How messages count things."""


def count_of(number: int, one: str, several: str | None = None) -> str:
    """So many things, with what is said of them: `1 table is`, and `0 tables are`; without `several`, it is `one`+s."""
    if number == 1:
        return f"1 {one}"
    return f"{number} {one}s" if several is None else f"{number} {several}"
