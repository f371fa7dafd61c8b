"""The keys of a sweep: what ``cnntrain sweep`` varies, how, and what it looks for."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cnntrain.config.schema.options import AtLeastOne, AtLeastZero, Number, Options

METRICS = {"minimize": "validation.loss", "maximize": "validation.accuracy"}
"""What each direction of a goal may name."""
MAX_TRIALS = 10_000
AtLeastTwo = Annotated[int, Field(ge=2)]


class RangeOptions(Options):
    """A range of numbers: ``{from: 1e-4, to: 1e-1, scale: log}``."""

    from_: Number = Field(alias="from", description="the smallest value")
    to: Number = Field(description="the largest value")
    step: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="distance between two values; by default any number, or every whole number"
    )
    scale: Literal["linear", "log"] = Field("linear", description="log: each power of ten is equally likely")


class HalvingOptions(Options):
    """Successive halving: most trials of a wave stop early."""

    first: AtLeastOne = Field(description="epochs after which trials stop for the first time")
    factor: AtLeastTwo = Field(3, description="one in this many continues, to this many times as many epochs")


class GoalOptions(Options):
    """What the best trial has."""

    minimize: Literal["validation.loss"] | None = Field(None, description="the lowest validation loss")
    maximize: Literal["validation.accuracy"] | None = Field(None, description="the highest validation accuracy")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.minimize is None) == (self.maximize is None):
            raise ValueError("expected either 'minimize: validation.loss' or 'maximize: validation.accuracy'")
        return self

    @property
    def metric(self) -> str:
        """``validation.loss`` or ``validation.accuracy``."""
        return self.minimize or self.maximize or ""


class SweepOptions(Options):
    """A sweep file: a base config, and what varies."""

    base: Annotated[str, Field(min_length=1)] = Field(
        description="the config that all trials share: a file, relative to this one, or the name of a bundled config"
    )
    search: dict[str, Any] = Field(description="keys of the config, each with a list of values or a range")
    goal: GoalOptions = Field(
        GoalOptions(minimize="validation.loss", maximize=None), description="what the best trial has"
    )
    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS)] | None = Field(
        None, description="number of trials; 30 by default, and all points of a grid"
    )
    method: Literal["tpe", "random", "grid"] = Field(
        "tpe", description="how values are chosen: by earlier results, at random, or all combinations"
    )
    halving: HalvingOptions | Literal[False] = Field(
        False, description="stop most trials early; false trains all of them to the end"
    )
    wave: AtLeastOne = Field(6, description="trials that are chosen together, from the results of earlier waves")
    seed: AtLeastZero = Field(0, description="random seed of the choice of values; training.seed is that of the runs")
