"""Data sets known by name: descriptions, URLs and checksums.

SHA-256 and sizes are those of TensorFlow Datasets (tensorflow_datasets/url_checksums), and for the members of the two
archives those of other public lists. Files are therefore trusted from any server.
"""

import string
from dataclasses import dataclass
from typing import Literal

from cnntrain.types import Shape


@dataclass(frozen=True, slots=True)
class File:
    """A file on a server."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive."""

    path: str
    """Full name in the archive; the last part becomes the file name."""
    limit: int
    """Maximum size in bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """File name after extraction."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A data set known by name.

    ``members`` are the files that are taken out of the archive, where ``files`` is a single archive; then only they
    are cached_files.
    """

    name: str
    what: str
    license: str
    page: str
    kind: Literal["idx", "cifar10"]
    shape: Shape
    """(C, H, W)"""
    train: int
    """Training images."""
    test: int
    classes: tuple[str, ...]
    files: tuple[File, ...]
    servers: tuple[str, ...]
    """URLs of folders that hold the files."""
    members: tuple[Member, ...] = ()
    transposed: bool = False
    """Whether rows and columns are swapped in the files."""

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)

    @property
    def cached_files(self) -> dict[str, str]:
        """SHA-256 of each file that is cached_files, by name."""
        return {file.name: file.sha256 for file in self.members or self.files}


DIGITS = tuple(string.digits)
FOUR = tuple(
    f"{part}-ubyte.gz" for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
)


def _four(*facts: tuple[int, str]) -> tuple[File, ...]:
    """Return MNIST's four files with their sizes and SHA-256."""
    return tuple(File(name, *fact) for name, fact in zip(FOUR, facts, strict=True))


MNIST = DatasetInfo(
    name="mnist",
    what="handwritten digits",
    license="CC BY-SA 3.0",
    page="http://yann.lecun.com/exdb/mnist/",
    kind="idx",
    shape=(1, 28, 28),
    train=60_000,
    test=10_000,
    classes=DIGITS,
    files=_four(
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    servers=("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
)

FASHION = DatasetInfo(
    name="fashion-mnist",
    what="clothes, photographed for a shop",
    license="MIT",
    page="https://github.com/zalandoresearch/fashion-mnist",
    kind="idx",
    shape=(1, 28, 28),
    train=60_000,
    test=10_000,
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=_four(
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    servers=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
)

KMNIST = DatasetInfo(
    name="kmnist",
    what="handwritten Japanese characters from old books",
    license="CC BY-SA 4.0",
    page="http://codh.rois.ac.jp/kmnist/index.html.en",
    kind="idx",
    shape=(1, 28, 28),
    train=60_000,
    test=10_000,
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    files=_four(
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
    servers=("https://codh.rois.ac.jp/kmnist/dataset/kmnist", "http://codh.rois.ac.jp/kmnist/dataset/kmnist"),
)


def _letters(split: str, images: int, sha256_of_images: str, sha256_of_labels: str) -> tuple[Member, ...]:
    """Return one split of EMNIST's letters; compressed, it is smaller than its ``images`` of 28 x 28 bytes."""
    path = f"gzip/emnist-letters-{split}-{{}}-ubyte.gz"
    return (
        Member(path.format("images-idx3"), images * 28 * 28, sha256_of_images),
        Member(path.format("labels-idx1"), images, sha256_of_labels),
    )


LETTERS = DatasetInfo(
    name="emnist-letters",
    what="handwritten letters, capital and small ones in one class",
    license="not stated",
    page="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    kind="idx",
    shape=(1, 28, 28),
    train=124_800,
    test=20_800,
    classes=tuple(string.ascii_lowercase),
    files=(File("gzip.zip", 561_753_746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),),
    servers=("https://biometrics.nist.gov/cs_links/EMNIST", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST"),
    members=(
        *_letters(
            "train",
            124_800,
            "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f",
            "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c",
        ),
        *_letters(
            "test",
            20_800,
            "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d",
            "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb",
        ),
    ),
    transposed=True,
)

BATCH = 10_000 * 3_073
"""Bytes of one file of CIFAR-10."""

CIFAR10 = DatasetInfo(
    name="cifar10",
    what="small color photographs of animals and vehicles",
    license="not stated",
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
    kind="cifar10",
    shape=(3, 32, 32),
    train=50_000,
    test=10_000,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        File("cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
    ),
    servers=(
        "https://www.cs.toronto.edu/~kriz",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
    ),
    members=tuple(
        Member(f"cifar-10-batches-bin/{name}.bin", BATCH, sha256)
        for name, sha256 in (
            ("data_batch_1", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            ("data_batch_2", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            ("data_batch_3", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            ("data_batch_4", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            ("data_batch_5", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ("test_batch", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        )
    ),
)

REGISTRY = {named.name: named for named in (MNIST, FASHION, KMNIST, LETTERS, CIFAR10)}
"""Data sets for ``data.source`` and ``cnntrain data fetch``, by name."""
