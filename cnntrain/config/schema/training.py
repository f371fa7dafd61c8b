"""The section ``training`` of a config: every key with its type, default and meaning."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.layers import AtLeastOne, AtLeastZero, Options
from cnntrain.config.schema.numbers import Batches, Factor, NonNegative, Number, Positive, Share
from cnntrain.optimizers import OPTIMIZERS, SGD, OptimizerName, names_with

MAX_LENGTH = 10**15
"""Epochs that no run reaches: a larger Max counts as this where a schedule depends on it."""
NotNothing = Annotated[Number, Field(ge=1e-30)]
"""Other than 0 in float32, too."""
ClassWeights = Annotated[tuple[NonNegative, ...], Field(min_length=1, strict=False)]
Nothing = Annotated[
    None, BeforeValidator(lambda value: None if value == "none" else value), WithJsonSchema({"enum": ["none", None]})
]
"""Null, or the word for it."""

ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    **{key: ("optimizer", names_with(key)) for optimizer in OPTIMIZERS.values() for key in optimizer.keys},
    "step_every": ("schedule", ("step",)),
    "step_factor": ("schedule", ("step",)),
    "label_smoothing": ("loss", ("cross_entropy",)),
}
"""Keys that mean something only with some values of another key."""


class TrainingOptions(Options):
    """``training``: how the weights are found."""

    long_names: ClassVar[dict[str, str]] = {
        "learning_rate": "alpha",
        "α": "alpha",
        "epochs": "Max",
        "tolerance": "epsilon",
        "ε": "epsilon",
    }

    alpha: Positive = Field(SGD.default_alpha, description="step size α; 0.001 by default for adam, adamw and rmsprop")
    Max: AtLeastOne = Field(10, description="maximum number of epochs, each one pass over the training set")
    epsilon: NonNegative = Field(0.0, description="stop when no weight changed by as much in an epoch; 0 never stops")
    patience: AtLeastZero = Field(
        0, description="stop after as many epochs without a better validation loss; 0 never stops"
    )
    batch_size: AtLeastOne | Literal["all"] = Field(128, description="samples a step, or all")
    reduction: Literal["mean", "sum"] = Field("mean", description="what is made of the gradients of a batch's samples")
    optimizer: OptimizerName = Field("sgd", description="how a step follows from gradients")
    momentum: Share = Field(0.0, description="sgd: share of the last step that is added to the next")
    nesterov: bool = Field(False, description="sgd: Nesterov's momentum, look ahead before the gradient is taken")
    beta1: Share = Field(0.9, description="adam, adamw: share of the past in the mean of the gradients")
    beta2: Share = Field(0.999, description="adam, adamw: share of the past in the mean of their squares")
    rho: Share = Field(0.9, description="rmsprop: share of the past in the mean of the squared gradients")
    eps: NotNothing = Field(1e-8, description="adam, adamw, rmsprop: added to the root that a step is divided by")
    weight_decay: NonNegative = Field(0.01, description="adamw: share of alpha W that is taken off W in a step")
    schedule: Literal["constant", "step", "cosine", "one_cycle"] = Field(
        "constant", description="how alpha changes from step to step"
    )
    warmup: NonNegative | None = Field(
        None, description="epochs in which alpha rises first; 0.3 Max by default for one_cycle, else 0"
    )
    step_every: AtLeastOne | None = Field(
        None, description="schedule step: epochs from one fall of alpha to the next; a third of Max by default"
    )
    step_factor: Factor = Field(0.1, description="schedule step: what alpha is multiplied by when it falls")
    clip_norm: NonNegative = Field(
        0.0, description="greatest length of the gradient, which is scaled down to it; 0: any"
    )
    loss: Literal["cross_entropy", "mse"] = Field(
        "cross_entropy",
        description="log-likelihood on a softmax output, or 1/2 |a - y|²; mse by default without softmax",
    )
    label_smoothing: Share = Field(0.0, description="cross_entropy: share of each label spread over all classes")
    class_weights: ClassWeights | Literal["balanced"] | Nothing = Field(
        None, description="weight of a sample's loss by its class: balanced, or a list in the order of the classes"
    )
    l1: NonNegative = Field(0.0, description="weight of the penalty sum |W|")
    l2: NonNegative = Field(0.0, description="weight of the penalty 1/2 sum W²")
    seed: AtLeastZero = Field(0, description="the same seed gives the same run")
    dtype: Literal["float32", "float64"] = Field("float32", description="of weights and pixels")
    shuffle: bool = Field(True, description="take the samples in a new order each epoch")
    workers: AtLeastOne | Literal["auto"] = Field("auto", description="processes that share the work, or auto")
    checkpoint_every: Positive | Batches = Field(
        60.0, description="seconds from one checkpoint to the next, or batches; one more at the end of each epoch"
    )
    on_divergence: Literal["stop", "rollback"] = Field(
        "stop",
        description="when the loss becomes infinite or not a number: stop, or go back to the weights with the lowest "
        "loss so far, the initial ones included, and resume with half the alpha, three times at most",
    )
    augmentation: AugmentationOptions = Field(
        AugmentationOptions(), description="how training images are changed at random, each time anew"
    )

    @property
    def state_rows(self) -> int:
        """Number of vectors of theta's size that the optimizer keeps between steps."""
        return OPTIMIZERS[self.optimizer].state_rows(self.hyperparameters)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The keys that the optimizer takes, with their values."""
        return {key: getattr(self, key) for key in OPTIMIZERS[self.optimizer].keys}

    @property
    def alpha_varies(self) -> bool:
        """Whether alpha changes from step to step."""
        return self.schedule != "constant" or bool(self.warmup)

    @model_validator(mode="before")
    @classmethod
    def _settle(cls, values: Any) -> Any:
        """Fill in defaults that depend on other keys; those may still be faulty here."""
        if not isinstance(values, dict):
            return values
        settled: dict[str, Any] = {}
        Max = values.get("Max", cls.model_fields["Max"].default)
        epochs = min(Max, MAX_LENGTH) if type(Max) is int and Max > 0 else None
        optimizer = values.get("optimizer")
        if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
            settled["alpha"] = OPTIMIZERS[optimizer].default_alpha
        if values.get("schedule") != "one_cycle":
            settled["warmup"] = 0.0
        elif epochs:
            settled["warmup"] = 3 * epochs / 10
        if values.get("schedule") == "step" and epochs:
            settled["step_every"] = -(-epochs // 3)
        fields = cls.model_fields
        optional = {key for key in fields if fields[key].default is None}
        # Null stands for a default only where null is one; elsewhere, and under unknown keys, it stays to be refused.
        return settled | {key: value for key, value in values.items() if value is not None or key not in optional}

    @model_serializer(mode="wrap")
    def _without_idle_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what means nothing here, since it may not be given either."""
        data: dict[str, Any] = handler(self)
        idle = {key for key, (other, values) in ONLY_WITH.items() if getattr(self, other) not in values}
        return {key: value for key, value in data.items() if key not in idle}
