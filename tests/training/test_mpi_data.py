"""What the ranks of an MPI job and the workers get of the samples is all that rank 0 has loaded."""

import numpy as np
import pytest

from cnntrain.backbones.backbone import lite0_spec
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.training.mpi_data import assembled, header_of
from cnntrain.training.sharing import sample_arrays


def feature_data(views):
    """Data with several versions of the features of each sample."""
    features = np.arange(4 * views * 1280, dtype=np.float32).reshape(4 * views, 1280, 1, 1)
    rows, labels = np.arange(4) * views, np.array([0, 1, 0, 1])
    train = Dataset(features, labels, rows, tuple("abcd"), None, views, lambda names: np.zeros((len(names), 3, 2, 2)))
    preprocessing = Preprocessing((0.0,) * 1280, (1.0,) * 1280, "crop", features=lite0_spec(None, views))
    return Data(train, None, train, ("cat", "dog"), preprocessing)


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("rank", [0, 1])
def test_every_version_of_a_sample_reaches_every_rank(views, rank):
    data = feature_data(views)
    received = assembled(header_of(data), sample_arrays(data), data if rank == 0 else None)
    for name, dataset in received.splits().items():
        loaded = data.splits()[name]
        assert (dataset is None) == (loaded is None)
        if dataset is not None:
            assert dataset.views == views
            taken = np.array([3, 0]), np.array([views - 1, 0])
            assert np.array_equal(dataset.gather(*taken), loaded.gather(*taken))
            if rank == 0:  # it draws plots
                assert (dataset.names, dataset.decode) == (loaded.names, loaded.decode)
