from trimtab.study.again import goes_on, runs_again, runs_beyond, tuning_seeds_of


def test_the_best_four_settings_run_again_and_one_alone_does_not():
    assert [runs_again(settings, 3) for settings in (0, 1, 2, 4, 16)] == [0, 0, 4, 8, 8]
    assert runs_again(16, 1) == 0
    assert runs_beyond(3) == 12


def test_notes_say_how_was_tuned_and_those_from_before_mean_one_seed():
    assert tuning_seeds_of({}, "digits") == 1
    assert tuning_seeds_of({"tuning_seeds": 3}, "digits") == 3
    there = {"adamw": ["lr"], "lion": []}
    several = {"tasks": {"digits": {"tuning_seeds": 3, "goes_on": there}, "mine": {"goes_on": None}, "own": {}}}
    assert [tuning_seeds_of(several, name) for name in ("digits", "mine")] == [3, 1]
    assert [goes_on(several, "digits", label) for label in ("adamw", "lion", "sgd")] == [True, False, False]
    assert not any(goes_on(several, name, "adamw") for name in ("mine", "own"))
    assert [goes_on({"goes_on": there}, "digits", label) for label in there] == [True, False]
