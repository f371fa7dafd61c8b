"""Names from PyTorch, Keras, scikit-learn and Ultralytics, and the keys that they mean here."""

import re
import shlex

from cnntrain.config.aliases import model_at
from cnntrain.config.fields import fits
from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.config.schema.config import SOURCES, NetworkOptions
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.options import Options
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.yaml.nodes import Node, Path
from cnntrain.config.yaml.scalars import value_of

KEYS = {
    "training.alpha": "lr base_lr lr0 init_lr initial_lr learning_rate_init eta",
    "training.Max": "epoch n_epochs num_epochs nb_epoch max_epochs num_train_epochs epochs n_iter max_iter",
    "training.epsilon": "tol",
    "training.patience": "early_stopping early_stop es_patience early_stopping_patience n_iter_no_change",
    "training.batch_size": "batch bs mini_batch_size minibatch minibatch_size per_device_train_batch_size",
    "training.optimizer": "optim opt solver",
    "training.beta1": "beta_1 betas adam_beta1",
    "training.beta2": "beta_2 adam_beta2",
    "training.weight_decay": "wd decay",
    "training.l1": "l1_reg l1_regularization l1_lambda",
    "training.l2": "l2_reg l2_regularization l2_lambda reg regularization kernel_regularizer",
    "training.schedule": "scheduler lr_scheduler lr_scheduler_type lr_schedule sched learning_rate_schedule",
    "training.step_factor": "gamma lr_decay lr_gamma factor",
    "training.step_every": "step_size lr_step_size",
    "training.warmup": "warmup_epochs warmup_steps",
    "training.clip_norm": "clip grad_clip gradient_clip gradient_clip_val clip_grad_norm max_grad_norm max_norm",
    "training.loss": "criterion loss_fn loss_function objective",
    "training.label_smoothing": "smoothing label_smooth",
    "training.class_weights": "class_weight weights weight",
    "training.seed": "random_seed random_state manual_seed rng_seed",
    "training.dtype": "precision",
    "training.workers": "num_workers n_workers n_jobs jobs threads n_threads num_threads processes nproc cores",
    "training.checkpoint_every": "save_every save_period save_freq save_steps checkpoint_interval",
    "training.augmentation": "augment augmentations aug transform transforms data_augmentation",
    "training.augmentation.horizontal_flip": "flip hflip fliplr flip_horizontal random_horizontal_flip random_flip",
    "training.augmentation.vertical_flip": "vflip flipud flip_vertical random_vertical_flip",
    "training.augmentation.rotation": "degrees rotate random_rotation rotation_range",
    "training.augmentation.crop": "random_crop shift translate width_shift_range",
    "training.augmentation.cutout": "erasing random_erasing",
    "data.source": "dataset dataset_name data_format",
    "data.path": "root data_dir data_path dataset_path dataset_dir dir folder directory train_dir file",
    "data.size": "imgsz img_size image_size input_size target_size resize",
    "data.validation": "val val_split validation_split val_size valid valid_split val_fraction validation_fraction",
    "data.test": "test_size test_split test_fraction",
    "data.channels": "color_mode num_channels",
    "data.standardize": "normalize normalise standardise",
    "network.input": "input_shape in_shape",
    "network.layers": "model architecture",
    "network.start_from": "pretrained weights_from init_from checkpoint finetune from pretrained_weights resume_from",
    "network.freeze": "freeze_layers frozen n_freeze freeze_at trainable",
}
"""Names for each key."""
LAYERS = {
    "conv": "conv2d convolution convolutional convolution2d",
    "pool": "maxpool maxpool2d max_pooling maxpooling2d pooling avgpool avgpool2d average_pooling averagepooling2d",
    "fc": "dense linear fully_connected affine output",
    "batch_norm": "bn batchnorm2d batchnorm1d batchnormalization normalization",
    "dropout": "dropout2d drop",
    "residual": "resnet basic_block basicblock res_block resblock residual_block skip shortcut add",
}
"""Names for each kind of layer."""
OF_LAYERS = {
    "conv": {
        "K": "out_channels n_filters num_filters channels features",
        "F": "kernel_size filter_size size ksize",
        "P": "pad paddings",
        "S": "strides",
        "init": "initializer kernel_initializer weight_init",
    },
    "pool": {
        "k": "kernel kernel_size pool_size window",
        "P": "pad paddings",
        "S": "strides",
        "type": "mode kind pool_type",
    },
    "fc": {
        "units": "out_features neurons nodes hidden n_units num_units num_classes classes outputs size",
        "init": "initializer kernel_initializer weight_init",
    },
    "batch_norm": {},
    "dropout": {"rate": "p prob probability ratio dropout_rate"},
    "residual": {"layers": "block body F blocks modules", "shortcut": "skip downsample projection skip_connection"},
}
"""Names for each key of each kind of layer, except ``activation``."""
ACTIVATIONS = "act nonlinearity activation_fn activation_function"
NO_KEYS = {
    "cnntrain runs on the CPU; leave it out": "device devices gpu gpus cuda accelerator no_cuda mps",
    "use --out DIR for the run folder": "output output_dir out_dir outdir save_dir log_dir logdir run_dir project",
    "grouped and depthwise convolutions are not supported; leave it out": "groups num_groups depthwise cardinality",
    "use the command: cnntrain resume RUN": "resume",
    "write --progress none": "quiet verbose silent verbosity q v",
}
"""Names that no key corresponds to, by what to do instead."""


def squashed(word: str) -> str:
    """Return a word without case, dashes and underscores: ``--batch-size`` is ``batchsize``."""
    return re.sub(r"[-_ ]", "", word).lower()


def lookup(table: dict[str, str], word: str) -> str | None:
    """Return the key of a table of names that ``word`` means."""
    wanted = squashed(word)
    return next((key for key, words in table.items() if wanted in map(squashed, [*words.split(), key])), None)


def familiar_key(root: Node, outer: Path, word: str) -> str | None:
    """Return the key that a familiar name means in the mapping at ``outer``; with its section if that is another."""
    model = model_at(root, outer)
    if model is LayerEntry:
        return lookup(LAYERS, word)
    if model_at(root, outer[:-1]) is LayerEntry:
        kind = str(outer[-1])
        return lookup({**OF_LAYERS.get(kind, {}), **({"activation": ACTIVATIONS} if kind != "dropout" else {})}, word)
    key = dotted_key(word)
    section, _, last = (key or "").rpartition(".")
    if key and section == ".".join(map(str, outer)):
        return last if model and last in model.model_fields else None
    return key


def dotted_key(word: str) -> str | None:
    """Return the key with its section that a name means without context: ``training.alpha`` for ``learning-rate``."""
    section, dot, last = word.rpartition(".")
    if dot:  # the key is spelled out
        section = section.strip("-")
        known = {
            key for name, model in sections() if name == section for key in [*model.model_fields, *model.long_names]
        }
        return f"{section}.{last}" if last in known else None
    for name, model in sections():
        for key in [*model.model_fields, *model.long_names]:
            if squashed(key) == squashed(word):
                return f"{name}.{model.long_names.get(key, key)}"
    return lookup(KEYS, word)


def sections() -> list[tuple[str, type[Options]]]:
    """Return the sections whose keys are unambiguous without context, by name."""
    return [
        ("training", TrainingOptions),
        ("training.augmentation", AugmentationOptions),
        *(("data", options) for options in SOURCES.values()),
        ("network", NetworkOptions),
    ]


def advice(option: str, value: str | None) -> str | None:
    """Return what to write instead of an unknown option: ``write training.alpha=0.1`` for ``--lr 0.1``."""
    instead = lookup(NO_KEYS, option)
    key = dotted_key(option)
    if instead or not key:
        return instead
    section, _, last = key.rpartition(".")
    models = [(model, model.long_names.get(last, last)) for name, model in sections() if name == section]
    fitting = value is not None and any(
        fits(model, short, of)
        for model, short in models
        if short in model.model_fields
        for of in (value_of(value), value)
    )
    return f"write {shlex.quote(f'{key}={value}')}" if fitting else f"write {key}=VALUE"
