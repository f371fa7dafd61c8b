from cnntrain.profiling.timer import MIN_COUNT, Timer


def test_so_many_as_are_wanted_the_first_left_out():
    timings = Timer(count=2, warm_up=1)
    assert not timings.add(100.0)
    assert timings.add(3.0)
    assert not timings.enough
    assert timings.add(5.0)
    assert timings.enough
    assert timings.durations == [3.0, 5.0]
    assert timings.median == 4.0


def test_as_many_as_take_the_time_but_not_too_few():
    timings = Timer(seconds=1.0, warm_up=0)
    for _ in range(MIN_COUNT):
        assert not timings.enough
        timings.add(10.0)
    assert timings.enough
    short = Timer(seconds=1.0, warm_up=0)
    while not short.enough:
        short.add(0.125)
    assert len(short.durations) == 8
