"""``source: digits``: the data set bundled with the package.

1,797 handwritten digits of 8 x 8 pixels, UCI "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak;
CC BY 4.0, doi:10.24432/C50P49; see digits.LICENSE.txt). The originals have 17 shades, 0..16; they are stored as
``rint(shade * 255 / 16)``, so 16 becomes 1 like white elsewhere. A fixed stratified set of 360 samples is the
test split.
"""

from pathlib import Path

from cnntrain.data.dataset import Splits
from cnntrain.data.formats import npz

FILE = Path(__file__).with_name("digits.npz")


def load() -> Splits:
    """Load 1,437 training and 360 test samples of 1 x 8 x 8 in ten classes."""
    splits = npz.load(FILE)
    return Splits(splits.train, splits.test, splits.classes)
