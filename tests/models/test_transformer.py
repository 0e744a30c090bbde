import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.transformer import Transformer

VOCAB = 6


def build(layers: int, context: int):
    torch.manual_seed(0)
    return Transformer(16, layers, 2, context).build(VOCAB).double()


def symbols(time: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, (2, time), generator=torch.Generator().manual_seed(1))


def test_a_layer_sees_its_context_and_no_more():
    model, inputs = build(1, context=5), symbols(12)
    whole = model(inputs)[0][:, -1]
    torch.testing.assert_close(model(inputs[:, -5:])[0][:, -1], whole)
    assert not torch.allclose(model(inputs[:, -4:])[0][:, -1], whole)


def test_only_distances_count():
    """After a past of a million steps, which has left the context, the same symbols give the same logits."""
    model, inputs = build(1, context=5), symbols(12)
    cache, _ = model(symbols(4))[1]
    late, _ = model(inputs, (cache, torch.tensor(1_000_000)))
    torch.testing.assert_close(late[:, 4:], model(inputs)[0][:, 4:])


@pytest.mark.parametrize("context", [1, 4, 64])
def test_the_cache_holds_what_the_next_step_needs(context):
    (cache, steps) = build(3, context)(symbols(20))[1]
    assert cache.shape == (3, 2, 2, 2, min(20, context - 1), 8)
    assert steps.item() == 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 0}, "model.heads=0 is not between 1 and 65536"),
        ({"context": 0}, "model.context=0 is not between 1 and 65536"),
        ({"hidden_size": 20}, "model.hidden_size=20 is not a multiple of twice model.heads=4"),
        ({"dropout": 1.0}, "model.dropout=1.0 is not at least 0 and below 1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError) as caught:
        Transformer(**settings)
    assert message in str(caught.value)
