"""What the ranks of a training share: the samples, beside all that ``cnntrain.parallel.shared`` needs."""

from cnntrain.config import Config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.network import Network
from cnntrain.parallel.mapping import Fields, SharedArrays
from cnntrain.parallel.shared import fields


def samples_in_batch(config: Config, data: Data) -> int:
    """Samples of a full batch."""
    size = config.training.batch_size
    return len(data.train) if size == "all" else min(size, len(data.train))


def shared_fields(config: Config, network: Network, data: Data, workers: int) -> Fields:
    """Shapes and types of all that the ranks share."""
    sizes = [samples_in_batch(config, data), *(len(dataset) for dataset in data.splits().values() if dataset)]
    slices = [len(list(network.slices(size))) for size in sizes]
    shared = dict(fields(network.layout, network.dtype.name, workers, max(slices), slices[0]))
    for split, dataset in data.splits().items():
        if dataset is not None:
            shared[f"{split}.images"] = (dataset.images.shape, dataset.images.dtype.name)
            shared[f"{split}.labels"] = (dataset.labels.shape, dataset.labels.dtype.name)
    return shared


def share_data(data: Data, arrays: SharedArrays) -> None:
    """Copy all samples to where every rank sees them."""
    for split, dataset in data.splits().items():
        if dataset is not None:
            arrays[f"{split}.images"][...] = dataset.images
            arrays[f"{split}.labels"][...] = dataset.labels


def shared_data(arrays: SharedArrays, classes: tuple[str, ...], preprocessing: Preprocessing) -> Data:
    """The data as they lie in shared memory."""

    def split(name: str) -> Dataset | None:
        if f"{name}.labels" not in arrays.arrays:
            return None
        return Dataset(arrays[f"{name}.images"], arrays[f"{name}.labels"])

    train = split("train")
    assert train is not None
    return Data(train, split("validation"), split("test"), classes, preprocessing)
