"""Kinds of numbers that a key may have."""

from typing import Annotated

from pydantic import Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
"""From none of it to nearly all."""
Factor = Annotated[Number, Field(gt=0, lt=1)]
"""Makes smaller, but not nothing."""
Batches = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9} batch(es)?$", examples=["100 batches"])]
"""A number of batches."""
