"""The section ``training`` of a config: every key with its type, default and meaning."""

from pathlib import Path
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
from cnntrain.config.schema.options import (
    AtLeastOne,
    AtLeastZero,
    Batches,
    Factor,
    NonNegative,
    Number,
    Options,
    Positive,
    Share,
)
from cnntrain.optimizers import OPTIMIZERS, SGD, OptimizerName, names_with

MAX_LENGTH = 10**15
"""More epochs than any run reaches; schedules treat a larger Max like this."""
NotNothing = Annotated[Number, Field(ge=1e-30)]
"""Not 0 in float32 either."""
ClassWeights = Annotated[tuple[NonNegative, ...], Field(min_length=1, strict=False)]
Folder = Annotated[Path, Field(strict=False)]
"""A string in a file."""
Nothing = Annotated[
    None, BeforeValidator(lambda value: None if value == "none" else value), WithJsonSchema({"enum": ["none", None]})
]
"""Null, or the word none."""

ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    **{key: ("optimizer", names_with(key)) for optimizer in OPTIMIZERS.values() for key in optimizer.keys},
    "step_every": ("schedule", ("step",)),
    "step_factor": ("schedule", ("step", "plateau")),
    "plateau_patience": ("schedule", ("plateau",)),
    "label_smoothing": ("loss", ("cross_entropy",)),
}
"""Keys that only apply with certain values of another key."""


class TrainingOptions(Options):
    """``training``: the optimizer, the loss and all other settings of training."""

    long_names: ClassVar[dict[str, str]] = {
        "learning_rate": "alpha",
        "α": "alpha",
        "epochs": "Max",
        "tolerance": "epsilon",
        "ε": "epsilon",
    }

    alpha: Positive = Field(
        SGD.default_alpha, description="learning rate α; 0.001 by default for adam, adamw and rmsprop"
    )
    Max: AtLeastOne = Field(10, description="maximum number of epochs, each one pass over the training set")
    epsilon: NonNegative = Field(0.0, description="stop when all weights change by less in an epoch; 0 disables")
    patience: AtLeastZero = Field(
        0, description="stop after this many epochs in which the monitored value did not improve; 0 disables"
    )
    min_delta: NonNegative = Field(
        0.0, description="improvement of the monitored value that counts, for patience and schedule plateau"
    )
    best_by: Literal["loss", "accuracy"] = Field(
        "loss", description="monitored value: the validation loss or accuracy selects the best weights"
    )
    batch_size: AtLeastOne | Literal["all"] = Field(128, description="samples per step, or all")
    reduction: Literal["mean", "sum"] = Field("mean", description="mean or sum of the gradients of a batch's samples")
    optimizer: OptimizerName = Field("sgd", description="the optimizer")
    momentum: Share = Field(0.0, description="sgd: momentum, the share of the last step added to the next")
    nesterov: bool = Field(False, description="sgd: Nesterov momentum")
    beta1: Share = Field(0.9, description="adam, adamw: decay rate of the mean of the gradients")
    beta2: Share = Field(0.999, description="adam, adamw: decay rate of the mean of their squares")
    rho: Share = Field(0.9, description="rmsprop: decay rate of the mean of the squared gradients")
    eps: NotNothing = Field(1e-8, description="adam, adamw, rmsprop: added to the denominator of a step")
    weight_decay: NonNegative = Field(0.01, description="adamw: decoupled weight decay, in units of alpha per step")
    schedule: Literal["constant", "step", "cosine", "one_cycle", "plateau"] = Field(
        "constant", description="learning-rate schedule"
    )
    warmup: NonNegative | None = Field(
        None, description="warm-up epochs, in which alpha rises; 0.3 Max by default for one_cycle, else 0"
    )
    step_every: AtLeastOne | None = Field(
        None, description="schedule step: epochs between drops of alpha; a third of Max by default"
    )
    step_factor: Factor = Field(0.1, description="schedules step and plateau: factor by which alpha drops")
    plateau_patience: AtLeastOne = Field(
        5,
        description="schedule plateau: alpha drops after this many epochs without improvement",
    )
    clip_norm: NonNegative = Field(0.0, description="maximum norm of the gradient; 0 disables clipping")
    loss: Literal["cross_entropy", "mse"] = Field(
        "cross_entropy",
        description="cross-entropy of a softmax output, or 1/2 |a - y|²; mse by default without softmax",
    )
    label_smoothing: Share = Field(
        0.0, description="cross_entropy: share of each label that is spread over all classes"
    )
    class_weights: ClassWeights | Literal["balanced"] | Nothing = Field(
        None, description="weights of the classes in the loss: balanced, or a list in class order"
    )
    l1: NonNegative = Field(0.0, description="weight of the penalty sum |W|")
    l2: NonNegative = Field(0.0, description="weight of the penalty 1/2 sum W²")
    seed: AtLeastZero = Field(0, description="random seed; the same seed gives the same run")
    dtype: Literal["float32", "float64"] = Field("float32", description="type of weights and pixels")
    shuffle: bool = Field(True, description="shuffle the samples in each epoch")
    workers: AtLeastOne | Literal["auto"] = Field("auto", description="number of worker processes, or auto")
    checkpoint_every: Positive | Batches = Field(
        60.0, description="seconds between checkpoints, or batches; there is also one after each epoch"
    )
    on_divergence: Literal["stop", "rollback"] = Field(
        "stop",
        description="when the loss becomes infinite or not a number: stop, or go back to the weights with the lowest "
        "loss so far, the initial ones included, and resume with half the alpha, three times at most",
    )
    tensorboard: bool | Folder = Field(
        False, description="write event files for TensorBoard: true for RUN/tensorboard, or a folder"
    )
    augmentation: AugmentationOptions = Field(
        AugmentationOptions(), description="random changes of the training images"
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
    def need_validation(self) -> list[str]:
        """The keys in use that need a validation split."""
        uses = {
            "patience": self.patience > 0,
            "best_by": self.best_by == "accuracy",
            "schedule": self.schedule == "plateau",
        }
        return [key for key, is_used in uses.items() if is_used]

    @property
    def alpha_varies(self) -> bool:
        """Whether alpha changes during training."""
        return self.schedule != "constant" or bool(self.warmup)

    @model_validator(mode="before")
    @classmethod
    def _settle(cls, values: Any) -> Any:
        """Fill in defaults that depend on other keys, which are not validated yet."""
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
        # Null means the default only where null is allowed; elsewhere it is kept, to be refused.
        return settled | {key: value for key, value in values.items() if value is not None or key not in optional}

    @model_serializer(mode="wrap")
    def _without_idle_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys that do not apply, since the config may not have them either."""
        data: dict[str, Any] = handler(self)
        idle = {key for key, (other, values) in ONLY_WITH.items() if getattr(self, other) not in values}
        return {key: value for key, value in data.items() if key not in idle}
