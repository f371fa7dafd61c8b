"""The engine against PyTorch in float64, on random networks: J, every dW and db, and dJ/dx. Skipped without PyTorch."""

import numpy as np
import pytest

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.training.running_statistics import RunningStatistics

torch = pytest.importorskip("torch")
functional = torch.nn.functional

NETWORKS, RESIDUAL = 200, 100
TOLERANCE = 1e-10  # of the greatest magnitude in the tensor

SIGMA = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    # PyTorch takes softplus(z) = z above its threshold, by default already above 20.
    "softplus": lambda z: functional.softplus(z, threshold=1000),
    "elu": functional.elu,
    "softmax": lambda z: torch.softmax(z, dim=1),
}
ELEMENTWISE = [name for name in SIGMA if name != "softmax"]


def random_network(rng):
    """A config as a dict: up to four conv and pool layers that fit, up to two fc, and an output for either loss."""
    _, H, W = shape = [int(rng.integers(1, high)) for high in (4, 14, 14)]
    layers = []
    for _ in range(rng.integers(0, 5)):
        if rng.random() < 0.3:
            layers.append(random_batch_norm(rng))
        if rng.random() < 0.6:
            P, S, K = int(rng.integers(0, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 6))
            F = int(rng.integers(1, min(5, min(H, W) + 2 * P) + 1))
            layers.append({"conv": {"K": K, "F": F, "P": P, "S": S, "activation": str(rng.choice(ELEMENTWISE))}})
            H, W = (H + 2 * P - F) // S + 1, (W + 2 * P - F) // S + 1
        elif rng.random() < 0.15:
            layers.append({"pool": {"k": "all", "type": str(rng.choice(["max", "average"]))}})
            H = W = 1
        else:
            k, S = int(rng.integers(1, min(3, H, W) + 1)), int(rng.integers(1, 4))
            layers.append({"pool": {"k": k, "S": S, "type": str(rng.choice(["max", "average"]))}})
            H, W = (H - k) // S + 1, (W - k) // S + 1
    for _ in range(rng.integers(0, 3)):
        layers.append({"fc": {"units": int(rng.integers(1, 9)), "activation": str(rng.choice(ELEMENTWISE))}})
        if rng.random() < 0.3:
            layers.append(random_batch_norm(rng))
    loss = str(rng.choice(["cross_entropy", "mse"]))
    output = "softmax" if loss == "cross_entropy" or rng.random() < 0.4 else str(rng.choice(ELEMENTWISE))
    if output == "softmax" or not layers or rng.random() < 0.8:
        layers.append({"fc": {"units": int(rng.integers(2, 7)), "activation": output}})
    training = {"loss": loss, "reduction": str(rng.choice(["sum", "mean"]))}
    return {"network": {"input": shape, "layers": layers}, "training": training}


def random_batch_norm(rng):
    eps, momentum = float(rng.choice([1e-3, 0.1])), float(rng.uniform(0, 0.9))
    return {"batch_norm": {"activation": str(rng.choice(ELEMENTWISE)), "eps": eps, "momentum": momentum}}


def random_residual_network(rng):
    """A config as a dict: an image, up to three blocks that may hold others, pools with padding, an output."""
    shape = [int(rng.integers(1, 4)), int(rng.integers(4, 12)), int(rng.integers(4, 12))]
    layers = []
    if rng.random() < 0.5:
        k = int(rng.integers(2, 5))
        options = {"k": k, "S": int(rng.integers(1, 3)), "P": int(rng.integers(0, k // 2 + 1))}
        layers.append({"pool": {**options, "type": str(rng.choice(["max", "average"]))}})
    for _ in range(rng.integers(1, 4)):
        layers.append(random_block(rng, 2))
    if rng.random() < 0.5:
        layers.append({"pool": {"k": "all", "type": "average"}})
    if rng.random() < 0.3:
        units = int(rng.integers(2, 6))
        layers += [{"fc": {"units": units}}, {"residual": {"layers": [{"fc": {"units": units, "activation": "tanh"}}]}}]
    loss = str(rng.choice(["cross_entropy", "mse"]))
    layers.append({"fc": {"units": int(rng.integers(2, 7)), "activation": "softmax"}})
    training = {"loss": loss, "reduction": str(rng.choice(["sum", "mean"]))}
    return {"network": {"input": shape, "layers": layers}, "training": training}


def random_block(rng, depth):
    """A residual block as in ResNet, or with normalization first, or with a pool, or with another block inside."""
    K, F, S = int(rng.integers(1, 6)), int(rng.choice([1, 3])), int(rng.integers(1, 3))
    conv = {"conv": {"K": K, "F": F, "P": F // 2, "S": S, "activation": str(rng.choice(ELEMENTWISE))}}
    layers = [random_batch_norm(rng), conv] if rng.random() < 0.3 else [conv]
    if rng.random() < 0.5:
        layers += [{"conv": {"K": K, "F": 3, "P": 1, "S": 1}}, random_batch_norm(rng)]
    if rng.random() < 0.3:
        layers.append({"pool": {"k": 3, "S": 1, "P": 1, "type": str(rng.choice(["max", "average"]))}})
    if depth > 1 and rng.random() < 0.4:
        layers.append(random_block(rng, depth - 1))
    return {"residual": {"layers": layers, "activation": str(rng.choice(ELEMENTWISE))}}


def torch_outputs(layers, parameters, x, training, prefix="layers"):
    """The output for a batch, by PyTorch's own layers; in training the running averages are moved."""
    a = z = x
    for place, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        name = f"{prefix}.{place}"
        if kind == "pool":
            pool = functional.max_pool2d if options["type"] == "max" else functional.avg_pool2d
            all_of_it = options["k"] == "all"
            z = pool(a, a.shape[2:]) if all_of_it else pool(a, options["k"], options["S"], options.get("P", 0))
        elif kind == "batch_norm":
            z = torch_batch_norm(a, parameters, name, options, training)
        elif kind == "conv":
            z = functional.conv2d(a, *parameters_at(parameters, name), stride=options["S"], padding=options["P"])
        elif kind == "residual":
            z = torch_outputs(options["layers"], parameters, a, training, name)[1]
            z = z + torch_shortcut(options["layers"], parameters, a, z.shape, training, f"{name}.shortcut")
        else:
            z = functional.linear(a.flatten(1), *parameters_at(parameters, name))
        a = SIGMA[options.get("activation", "identity")](z)
    return z, a


def torch_batch_norm(a, parameters, name, options, training):
    tensors = [parameters[f"{name}.{key}"] for key in ("running_mean", "running_var", "gamma", "b")]
    share = 1 - options["momentum"]  # PyTorch's momentum is what the new batch counts
    return functional.batch_norm(a, *tensors, training=training, momentum=share, eps=options["eps"])


def torch_shortcut(layers, parameters, a, shape, training, name):
    """What a block adds: its input, or the downsampling convolution of torchvision's ResNet."""
    if f"{name}.W" not in parameters:
        return a
    s = functional.conv2d(a, parameters[f"{name}.W"], stride=total_stride(layers))
    assert s.shape == shape
    norms = [layer["batch_norm"] for layer in all_layers(layers) if "batch_norm" in layer]
    return torch_batch_norm(s, parameters, name, norms[-1], training) if norms else s


def total_stride(layers):
    convs = [layer["conv"]["S"] for layer in layers if "conv" in layer]
    return int(np.prod(convs, dtype=int)) * int(
        np.prod([total_stride(layer["residual"]["layers"]) for layer in layers if "residual" in layer], dtype=int)
    )


def all_layers(layers):
    for layer in layers:
        yield layer
        if "residual" in layer:
            yield from all_layers(layer["residual"]["layers"])


def torch_loss(config, parameters, x, y):
    """J of the batch, by PyTorch's own losses."""
    z, a = torch_outputs(config["network"]["layers"], parameters, x, training=True)
    if config["training"]["loss"] == "cross_entropy":
        return functional.cross_entropy(z, y, reduction=config["training"]["reduction"])
    target = functional.one_hot(y, a[0].numel()).to(a.dtype)
    J = 0.5 * ((a.flatten(1) - target) ** 2).sum()
    return J / len(x) if config["training"]["reduction"] == "mean" else J


def parameters_at(parameters, name):
    return parameters[f"{name}.W"], parameters.get(f"{name}.b")


def relative_error(value, expected, least=0.0):
    """The greatest difference over the greatest expected magnitude, or over ``least`` if that is greater."""
    expected = np.asarray(expected)
    assert np.shape(value) == expected.shape
    return np.abs(value - expected).max() / max(np.abs(expected).max(), least, np.finfo(float).tiny)


def relative_errors(seed, draw):
    """The relative error of J, dx and every gradient of one random network on one random batch."""
    rng = np.random.default_rng(seed)
    config = draw(rng)
    network = cnntrain.build(config_from_dict(config, "random"), dtype="float64")
    state = {
        name: rng.normal(size=value.shape) / (np.sqrt(value[0].size) if name.endswith("W") else 3)
        for name, value in network.state().items()
    }
    state = {name: np.abs(value) if "running_var" in name else value for name, value in state.items()}
    network.set_state(state)
    normalized = any("batch_norm" in layer for layer in all_layers(config["network"]["layers"]))
    N = int(rng.integers(3 if normalized else 1, 8))  # PyTorch refuses to normalize a single value
    network.micro_batch_size = N
    x = rng.normal(size=(N, *config["network"]["input"]))
    y = rng.integers(np.prod(network.out_shape), size=N)

    tensors = {name: torch.tensor(value, requires_grad="running" not in name) for name, value in state.items()}
    outputs = torch_outputs(config["network"]["layers"], tensors, torch.tensor(x), training=False)[1].detach()
    dx = torch.tensor(x, requires_grad=True)
    expected_J = torch_loss(config, tensors, dx, torch.tensor(y))
    expected_J.backward()
    J, gradients, our_dx = network.loss_and_gradients(x, y)
    errors = {"J": relative_error(J, expected_J.item()), "outputs": relative_error(network.forward(x), outputs)}
    expected = {name: tensors[name].grad for name in gradients} | {"dx": dx.grad}
    # In front of a batch_norm a gradient may be nothing but rounding: a mean that is taken off again.
    least = 1e-4 * max(float(value.abs().max()) for value in expected.values()) if normalized else 0
    for name, gradient in {**gradients, "dx": our_dx}.items():
        errors[name] = relative_error(gradient, expected[name], least)
    return errors | averages_errors(network, x, y, tensors)


def averages_errors(network, x, y, tensors):
    """The relative error of the running averages after a step."""
    before = network.state()
    _, total, _ = network.gradient(x, y)
    averages = RunningStatistics(network, slice(network.layout.trainable_count, network.layout.size))
    averages.step(total[network.layout.trainable_count :], len(x))
    after = network.state()
    assert all((after[name] == before[name]).all() for name in network.parameters())
    return {name: relative_error(after[name], tensors[name], 1e-3) for name in network.layout.buffers}


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_engine_agrees_with_pytorch(seed):
    errors = relative_errors(seed, random_network)
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("seed", range(RESIDUAL))
def test_residual_networks_agree_with_pytorch(seed):
    errors = relative_errors(seed, random_residual_network)
    assert max(errors.values()) < TOLERANCE, errors
