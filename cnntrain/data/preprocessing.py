"""Standardization of pixels for the first layer.

    x = (pixel - mean[c]) / std[c]        with pixels in 0..1 and c the channel

The statistics come from the training samples and are saved in the weights file together with the pixel scale, so that
the weights are always used with the preprocessing of training.
"""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.backbones.spec import BackboneSpec
from cnntrain.data.dataset import Dataset
from cnntrain.data.image_spec import FIT_MODES, FitMode
from cnntrain.data.pixels import BYTES, UNKNOWN, WHITES, Images, Scale, white_of
from cnntrain.errors import WeightsError
from cnntrain.types import Array

CHUNK = 1 << 18
"""Pixels to sum at a time: their float64 copy stays in the CPU cache."""
CONSTANT = 1e-6
"""A channel with a smaller standard deviation is constant; dividing by it would only amplify rounding errors."""
MAX_FEATURE = 1e30
"""Maximum absolute value of a feature's mean and standard deviation."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Mean and standard deviation of each channel, of pixels in 0..1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: FitMode | None = None
    """How images with a different aspect ratio were resized; None if all had the network's size."""
    scale: Scale = BYTES
    """Pixel scale of the training images."""
    features: BackboneSpec | None = None
    """The pretrained network that computes features; mean and standard deviation are then those of each feature."""
    _factors: dict[tuple[np.dtype[Any], np.dtype[Any]], tuple[Array, Array]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Scale and shift by the types of the pixels and of what they become; see ``columns``."""

    @classmethod
    def none(cls, channels: int) -> "Preprocessing":
        """Return the identity for pixels in 0..1: mean 0, standard deviation 1."""
        return cls((0.0,) * channels, (1.0,) * channels)

    @classmethod
    def measure(cls, dataset: Dataset) -> "Preprocessing":
        """Compute mean and standard deviation of each channel; those of a constant channel are set to std 1.

            mean = sum x / n        std = sqrt(sum x^2 / n - mean^2)

        The sums are float64: sums of uint8 pixels are exact in any order; floats are summed in a fixed order. One chunk
        of samples is in memory at a time.
        """
        count, (channels, H, W) = len(dataset), dataset.image_shape
        sums = np.zeros(channels)
        squares = np.zeros(channels)
        step = max(1, CHUNK // (channels * H * W))
        for start in range(0, count, step):
            chunk = dataset.gather(np.arange(start, min(count, start + step))).astype(np.float64)
            sums += chunk.sum(axis=(0, 2, 3))
            squares += np.square(chunk, out=chunk).sum(axis=(0, 2, 3))
        n = count * H * W
        mean = sums / n
        std = np.sqrt(np.maximum(squares / n - np.square(mean), 0))
        mean /= white_of(dataset.images.dtype)
        std /= white_of(dataset.images.dtype)
        std[std < CONSTANT] = 1.0
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    @classmethod
    def measure_features(cls, dataset: Dataset) -> "Preprocessing":
        """Compute one standard deviation for all features, their root mean square; the means are 0.

            std = sqrt(sum x^2 / n)        over all features of all samples

        With a mean and a standard deviation for each feature, those that few images have would be amplified, and
        the network would overfit.
        """
        measured = cls.measure(dataset)
        mean, std = np.array(measured.mean), np.array(measured.std)
        rms = float(np.sqrt(np.mean(np.square(mean) + np.square(std))))
        return cls((0.0,) * len(mean), (rms if rms >= CONSTANT else 1.0,) * len(mean))

    def columns(self, pixels: Images, out: Array) -> None:
        """Write images into ``out``, standardized, one sample a column.

        Each number depends on its own pixel alone, so that the bits are the same however a batch is sliced.

        Shape:
            pixels ``(n, C, H, W)``, as ``Dataset.gather`` gives them -> out ``(H Q, C, W / Q, n)``, float32 or
            float64, with the columns by phase (``cnntrain.ops.phases``)
        """
        types = pixels.dtype, out.dtype
        if types not in self._factors:
            self._factors[types] = self.affine(white_of(pixels.dtype), out.dtype)
        scale, shift = self._factors[types]
        n, C, H, W = pixels.shape
        Q = len(out) // H
        phases = pixels.reshape(n, C, H, W // Q, Q).transpose(2, 4, 1, 3, 0)
        np.multiply(phases, scale, out=out.reshape(phases.shape))
        np.add(out, shift, out=out)

    def affine(self, top: int, dtype: DTypeLike = "float32") -> tuple[Array, Array]:
        """Return scale and shift, so that (x / top - mean) / std is x * scale + shift: two passes instead of three.

        Args:
            top: What stands for 1 in the pixels.
            dtype: Of the result.

        Shape:
            each ``(C, 1, 1)``
        """
        mean, std = np.array(self.mean), np.array(self.std)
        scale = (1 / (top * std)).astype(dtype).reshape(-1, 1, 1)
        shift = (-mean / std).astype(dtype).reshape(-1, 1, 1)
        return scale, shift

    def features_differ(self, other: "Preprocessing") -> str | None:
        """Return in what the features of trained weights differ from those of ``other`` data; None if they are equal.

        The number of views does not matter: only training uses more than the first.
        """
        ours, theirs = self.features, other.features
        if ours is None or theirs is None:
            if ours is theirs:
                return None
            kinds = [f"features of {spec.backbone}" if spec else "pixels" for spec in (ours, theirs)]
            return f"the network takes {kinds[0]}, but the data are {kinds[1]}"
        names = [field.name for field in fields(ours) if field.name not in ("backbone", "views")]
        differing = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
        if not differing:
            return None
        name = differing[0]
        return (
            f"the network takes features of {ours.backbone} with {name} {getattr(ours, name)}, but the data have those "
            f"of {theirs.backbone} with {getattr(theirs, name)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """For the weights file."""
        content: dict[str, Any] = {"mean": list(self.mean), "std": list(self.std)}
        if self.fit is not None:
            content["fit"] = self.fit
        if self.scale != UNKNOWN:
            content |= {"white": self.scale.white, "floats": self.scale.floats}
        if self.features is not None:
            content["features"] = self.features.to_dict()
        return content

    @classmethod
    def from_dict(cls, content: object, channels: int) -> "Preprocessing":
        """What ``to_dict`` gave, checked: a weights file may come from anywhere.

        Raises:
            WeightsError: Not a mean and a standard deviation for each of the ``channels`` that pixels in 0..1 can have,
                or an unknown fit or white.
        """
        if not isinstance(content, dict) or content.keys() - {"fit", "white", "floats", "features"} != {"mean", "std"}:
            raise WeightsError("the preprocessing of the weights file is not an object with the keys mean and std")
        fit = content.get("fit")
        if fit is not None and fit not in FIT_MODES:
            raise WeightsError(
                f"preprocessing.fit of the weights file is {str(fit)[:80]!r}; there are {', '.join(FIT_MODES)}"
            )
        features = BackboneSpec.from_dict(content["features"]) if "features" in content else None
        for key in ("mean", "std"):
            values = content[key]
            lowest = CONSTANT if key == "std" else 0.0 if features is None else -MAX_FEATURE
            highest = 1 if features is None else MAX_FEATURE
            if not isinstance(values, list) or len(values) != channels:
                raise WeightsError(
                    f"preprocessing.{key} of the weights file is not a list of {channels} numbers, one for each input "
                    "channel of the network"
                )
            if not all(type(value) in (int, float) and lowest <= value <= highest for value in values):
                raise WeightsError(
                    f"preprocessing.{key} of the weights file holds {str(values)[:80]}; for "
                    f"{'features' if features else 'pixels in 0..1'} every number lies in {lowest:g}..{highest:g}"
                )
        return cls(
            tuple(map(float, content["mean"])), tuple(map(float, content["std"])), fit, _scale(content), features
        )


def _scale(content: dict[str, Any]) -> Scale:
    """Parse the pixel scale, which earlier versions did not write."""
    if not content.keys() & {"white", "floats"}:
        return UNKNOWN
    white, floats = content.get("white"), content.get("floats")
    if type(white) is not int or white not in WHITES or type(floats) is not bool:
        raise WeightsError(
            f"preprocessing.white of the weights file is {str(white)[:80]} and floats {str(floats)[:80]}; white is "
            f"{', '.join(map(str, WHITES))}, and floats is true or false"
        )
    return Scale(white, floats)
