"""Why a database that answers cannot be used all the same."""


class UnfitDatabase(Exception):
    """The database cannot be used as it is; the message says why."""


class WrongSchema(UnfitDatabase):
    """Its schema is not one that this code runs on, or can be brought to it."""


class UnsafeDurability(UnfitDatabase):
    """The database could lose what it has acknowledged."""
