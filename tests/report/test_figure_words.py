from trimtab.report.figure_words import captions, descriptions


def test_figures_are_described_with_their_numbers(result, unfinished):
    found = descriptions(result)

    adabelief = result.candidates[0]
    assert f"adabelief {adabelief.loss.mean:.5f}, from {adabelief.loss.low:.5f}" in found["ranking"]
    assert "sgd -0.0320" in found["differences"]
    assert "adabelief, no final run finished" in descriptions(unfinished)["ranking"]
    assert set(found) == set(captions(result))
