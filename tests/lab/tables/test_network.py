from pathlib import Path

import torch

from trimtab.lab.tables.network import WIDEST_EMBEDDING, TableNetwork, embedding_width, size_for


def test_a_network_takes_numbers_and_places_of_names():
    network = TableNetwork(3, [4, 20], 2, width=8, depth=2)
    outputs = network(torch.randn(5, 3), torch.randint(4, (5, 2)))
    assert outputs.shape == (5, 2)
    assert network.hidden[0].in_features == 3 + embedding_width(4) + embedding_width(20)
    assert [type(layer).__name__ for layer in network.hidden] == ["Linear", "ReLU"] * 2


def test_there_may_be_one_kind_alone():
    assert TableNetwork(3, [], 1, width=8, depth=1)(torch.randn(5, 3), torch.zeros(5, 0).long()).shape == (5, 1)
    assert TableNetwork(0, [3], 1, width=8, depth=1)(torch.zeros(5, 0), torch.zeros(5, 1).long()).shape == (5, 1)


def test_more_names_get_more_room_up_to_a_point():
    widths = [embedding_width(levels) for levels in (2, 3, 5, 10, 100, 1000)]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (1, WIDEST_EMBEDDING)


def test_a_name_weighs_as_much_as_a_number():
    torch.manual_seed(0)
    (embedding,) = TableNetwork(0, [1001], 1, width=8, depth=1).embeddings
    assert abs(float(embedding.weight.detach().square().sum(1).mean()) - 1) < 0.1


def test_few_rows_are_tuned_with_further_seeds():
    assert [size_for(rows).tuning_seeds for rows in (30, 599, 600, 30_000)] == [3, 3, 1, 1]


def test_a_page_says_how_large_networks_are_of_how_many_rows():
    page = (Path(__file__).parents[3] / "docs" / "table.md").read_text(encoding="utf-8")
    for rows, size in (("1,000", size_for(599)), ("10,000", size_for(5999))):  # three fifths of a row fewer
        hidden = "a hidden layer" if size.depth == 1 else "two"
        steps = f"{size.steps:,} steps of {size.batch_size}"
        assert f"| fewer than {rows} | {hidden} of {size.width} | {steps} " in page
    size = size_for(6000)
    assert f"| 10,000 or more | two of {size.width} | {size.steps} steps of {size.batch_size} " in page


def test_more_rows_get_a_larger_network_and_are_seen_more_of():
    sizes = [size_for(rows) for rows in (30, 300, 3000, 30_000)]
    assert all(size.batch_size <= rows for size, rows in zip(sizes[1:], (300, 3000, 30_000), strict=True))
    for values in zip(
        *((size.width, size.depth, size.batch_size, size.batch_size * size.steps) for size in sizes), strict=True
    ):
        assert list(values) == sorted(values)
