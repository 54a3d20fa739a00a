"""Classes of an author's own, for `openenv-lite new --wrap`."""

__all__ = ["Annexe", "Rented", "Untyped", "Warehouse"]


class Warehouse:
    """Counts what is on its shelves."""

    def __init__(self, shelves: int = 3) -> None:
        self._shelves = shelves
        self._stock: dict[str, int] = {}

    @property
    def stock(self) -> dict[str, int]:
        """What is there, by article."""
        return dict(self._stock)

    def store(self, article: str, count: int = 1) -> int:
        """Put articles on a shelf.

        Args:
            article: What it is.
            count: How many.
        """
        if article not in self._stock and len(self._stock) == self._shelves:
            raise ValueError("All shelves are full")
        self._stock[article] = self._stock.get(article, 0) + count
        return self._stock[article]

    async def look(self, article: str) -> int:
        """Count an article."""
        return self._stock.get(article, 0)

    def reset(self) -> None:
        """A control of the trainer's by its name, so no tool."""
        self._stock.clear()

    def weigh(self, article):  # type: ignore[no-untyped-def]
        """Has no type hints, so it is no tool."""

    def _count(self) -> int:
        return len(self._stock)


class Annexe(Warehouse):
    """Has too many tools for a line."""

    def count_of_all_articles(self) -> int:
        """Count everything."""
        return sum(self._stock.values())

    def count_of_empty_shelves(self) -> int:
        """Count shelves that hold nothing."""
        return self._shelves - len(self._stock)

    def count_of_shelves_in_use(self) -> int:
        """Count shelves that hold something."""
        return len(self._stock)


class Rented(Warehouse):
    """Cannot be built without arguments."""

    def __init__(self, rent: int) -> None:
        super().__init__()
        self.rent = rent


class Untyped:
    """Has nothing that could be a tool."""

    def weigh(self, article):  # type: ignore[no-untyped-def]
        """Weigh it."""
