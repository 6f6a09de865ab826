import torch
from torch.nn import functional

from tests.lab.tasks.hashing import sha256
from trimtab.lab.task import take_rows
from trimtab.lab.tasks.digit_scenes import BACKGROUND, DigitScenes
from trimtab.lab.tasks.digits import digit_images


def test_the_scenes_are_what_they_always_were():
    task = DigitScenes()
    classes = [data.tensors[1] for data in (task.train, task.validation, task.test)]
    assert [tuple(each.shape) for each in classes] == [(4096, 3, 3), (512, 3, 3), (512, 3, 3)]
    assert sha256(*classes) == "2bf2936f3e887f04"
    empty = [(each == BACKGROUND).float().mean().item() for each in classes]
    assert all(abs(share - 0.6) < 0.02 for share in empty)


def test_a_cell_shows_its_digit_with_noise_or_noise_alone():
    task = DigitScenes()
    scenes, classes = task.validation.tensors
    images, digits = digit_images()
    for row in range(20):
        for i in range(3):
            for j in range(3):
                cell = scenes[row, 0, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
                if classes[row, i, j] == BACKGROUND:
                    assert cell.std() < 0.2
                else:
                    distances = (images[1200:1500, 0] - cell).square().mean((1, 2))
                    assert distances.min() < 0.02
                    assert digits[1200 + int(distances.argmin())] == classes[row, i, j]


def test_losses_are_means_over_cells():
    task = DigitScenes()
    model = task.model(torch.Generator().manual_seed(0))
    batch = take_rows(task.validation, torch.arange(32))
    outputs = task.outputs(model, batch)
    assert outputs.shape == (32, 11, 3, 3)
    torch.testing.assert_close(task.losses(outputs, batch).mean(), functional.cross_entropy(outputs, batch[1]))


def test_the_network_has_three_named_parts():
    model = DigitScenes().model(torch.Generator())
    assert [name for name, _ in model.named_children()] == ["backbone", "neck", "head"]
