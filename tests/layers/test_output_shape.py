"""The shape arithmetic of conv, pool and fc, and what is said when a layer does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.config.schema.layers import BatchNormOptions, ConvOptions, DropoutOptions, FcOptions, PoolOptions
from cnntrain.errors import ShapeError


@pytest.mark.parametrize(
    ("options", "in_shape", "out_shape"),
    [
        (ConvOptions(K=6, F=5), (1, 28, 28), (6, 24, 24)),
        (ConvOptions(K=6, F=5, P=2), (1, 28, 28), (6, 28, 28)),
        (ConvOptions(K=2, F=3, S=2), (3, 6, 7), (2, 2, 3)),
        (ConvOptions(K=2, F=1, P=1, S=5), (3, 4, 4), (2, 2, 2)),
        (ConvOptions(K=2, F=4, P=1), (3, 2, 2), (2, 1, 1)),
        (PoolOptions(k=2, type="max"), (6, 24, 23), (6, 12, 11)),
        (PoolOptions(k=3, S=1, type="average"), (6, 5, 4), (6, 3, 2)),
        (PoolOptions(k=1, S=3, type="max"), (2, 7, 6), (2, 3, 2)),
        (PoolOptions(k="all", type="max"), (6, 5, 4), (6, 1, 1)),
        (PoolOptions(k="all", type="average"), (6, 1, 3), (6, 1, 1)),
        (BatchNormOptions(), (6, 5, 4), (6, 5, 4)),
        (BatchNormOptions(), (7,), (7,)),
        (DropoutOptions(), (6, 5, 4), (6, 5, 4)),
        (DropoutOptions(), (7,), (7,)),
        (FcOptions(units=10), (6, 5, 4), (10,)),
        (FcOptions(units=10), (7,), (10,)),
    ],
)
def test_output_shape(options, in_shape, out_shape):
    assert options.output_shape(in_shape) == out_shape


@given(H=st.integers(1, 12), W=st.integers(1, 12), F=st.integers(1, 14), P=st.integers(0, 4), S=st.integers(1, 5))
def test_conv_counts_the_windows_that_fit(H, W, F, P, S):
    windows = [len(range(0, side + 2 * P - F + 1, S)) for side in (H, W)]
    if 0 in windows:
        with pytest.raises(ShapeError):
            ConvOptions(K=3, F=F, P=P, S=S).output_shape((2, H, W))
    else:
        assert ConvOptions(K=3, F=F, P=P, S=S).output_shape((2, H, W)) == (3, *windows)


@given(H=st.integers(1, 12), W=st.integers(1, 12), F=st.integers(1, 40), P=st.integers(0, 4))
def test_proposed_F_and_P_would_fit(H, W, F, P):
    try:
        ConvOptions(K=1, F=F, P=P).output_shape((1, H, W))
    except ShapeError as error:
        words = str(error).rstrip("would").replace(",", " ").split()
        largest_F, P_needed = int(words[words.index("up") + 2]), int(words[-1])
        ConvOptions(K=1, F=largest_F, P=P).output_shape((1, H, W))
        ConvOptions(K=1, F=F, P=P_needed).output_shape((1, H, W))
        for too_much in ({"F": largest_F + 1, "P": P}, {"F": F, "P": P_needed - 1}):
            with pytest.raises(ShapeError):
                ConvOptions(K=1, **too_much).output_shape((1, H, W))


@pytest.mark.parametrize(
    ("options", "in_shape", "words"),
    [
        (ConvOptions(K=1, F=9), (1, 8, 6), ["F = 9", "8 x 6", "P = 0", "F up to 6", "P = 2"]),
        (PoolOptions(k=5, type="max"), (3, 4, 9), ["k = 5", "4 x 9", "k up to 4"]),
        (ConvOptions(K=1, F=1), (10,), ["vector of 10", "before the first fc"]),
        (PoolOptions(k="all", type="max"), (10,), ["vector of 10", "before the first fc"]),
        (PoolOptions(k=1, type="max"), (10,), ["vector of 10", "before the first fc"]),
        (FcOptions(), (10,), ["units", "classes"]),
    ],
)
def test_misfit_is_one_sentence_with_the_arithmetic_and_a_mend(options, in_shape, words):
    with pytest.raises(ShapeError) as caught:
        options.output_shape(in_shape)
    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []
