"""Which models there are, the saved steps of their runs, the texts they learnt from."""

from chat.models.catalogue import (
    DEFAULT,
    GENERIC_STARTERS,
    UNITS,
    Listing,
    default_model,
    fetched,
    find_models,
    read_listing,
    without_place,
)

__all__ = [
    "DEFAULT",
    "GENERIC_STARTERS",
    "UNITS",
    "Listing",
    "default_model",
    "fetched",
    "find_models",
    "read_listing",
    "without_place",
]
