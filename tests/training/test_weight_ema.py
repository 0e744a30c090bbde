import torch
from torch import nn

from pipeline.training.weight_ema import WeightEMA


def test_the_average_follows_its_formula_and_is_exchanged_and_put_back():
    model, decay = nn.Linear(1, 1, bias=False), 0.9
    average = WeightEMA(model, decay)
    expected = model.weight.item()
    for step in range(1, 200):
        model.weight.data.fill_(float(step))
        average.update(step)
        share = min(decay, step / (10 + step))
        expected = share * expected + (1 - share) * step
    torch.testing.assert_close(average.values[0].item(), expected, rtol=1e-5, atol=0)
    average.swap()
    torch.testing.assert_close(model.weight.item(), expected, rtol=1e-5, atol=0)
    average.swap()
    assert model.weight.item() == 199.0
    assert (
        average.replace_weights({"model.weight": model.weight, "other": 1})["model.weight"]
        is average.values[0]
    )


def test_without_decay_nothing_is_kept():
    model = nn.Linear(2, 2)
    average = WeightEMA(model, 0.0)
    average.update(1)
    average.swap()
    assert average.values == []
    assert average.replace_weights({"a": 1}) == {"a": 1}
