from trimtab.compare.few_seeds import few_seeds


def test_one_seed_shows_nothing():
    assert few_seeds(1).startswith("With --seeds 1 no difference can be shown")
    assert few_seeds(3) is None
