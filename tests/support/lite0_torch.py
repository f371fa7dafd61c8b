"""EfficientNet-Lite0 in PyTorch: batch normalization as a layer of its own, padding as TensorFlow's SAME."""

from typing import Any

import numpy as np

from cnntrain.backbones.efficientnet_lite0 import EPSILON, MEAN, STD, blocks


def features(weights: dict[str, Any], image: Any) -> Any:
    """Return the features of an image ``(3, 224, 224)``, uint8."""
    import torch
    from torch.nn import functional as F

    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}

    def conv(x: Any, name: str, stride: int = 1) -> Any:
        W = tensors[f"{name}.weight"]
        side, kernel = x.shape[-1], W.shape[-1]
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        x = F.pad(x, [total // 2, total - total // 2] * 2)
        return F.conv2d(x, W, stride=stride, groups=x.shape[1] if W.shape[1] == 1 and x.shape[1] > 1 else 1)

    def norm(x: Any, name: str) -> Any:
        mean, variance = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps=EPSILON)

    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
    x = ((torch.from_numpy(image).float() / 255 - mean) / std)[None]
    x = F.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    for index, stage, stride in blocks():
        name, before = f"_blocks.{index}", x
        if stage.expand:
            x = F.relu6(norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0"))
        x = F.relu6(norm(conv(x, f"{name}._depthwise_conv", stride), f"{name}._bn1"))
        x = norm(conv(x, f"{name}._project_conv"), f"{name}._bn2")
        if stride == 1 and x.shape == before.shape:
            x = x + before
    x = F.relu6(norm(conv(x, "_conv_head"), "_bn1"))
    return x.mean((2, 3))[0].numpy()
