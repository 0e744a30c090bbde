import pytest
import torch
from torch import nn

from pipeline.models.kernels import cells as kernels
from pipeline.models.kernels import layers
from pipeline.models.recurrent import CELLS, Recurrent

VOCAB, BATCH, TIME, SIZE = 7, 20, 9, 6
LAYERS = {"rnn": layers.RNNLayer, "lstm": layers.LSTMLayer, "gru": layers.GRULayer}


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def torch_module(cell: str, dtype=torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return CELLS[cell](5, SIZE).to(dtype)


def beginning(cell: str, dtype=torch.float64) -> list[torch.Tensor]:
    shape = (2 if cell == "lstm" else 1), BATCH, SIZE
    return [part.clone().requires_grad_() for part in torch.randn(shape, dtype=dtype)]


def total(out, state, weights) -> torch.Tensor:
    """A number in which every output counts, each with another weight."""
    last = state if isinstance(state, tuple) else (state,)
    return (out * weights).sum() + sum((part * weights[-1]).sin().sum() for part in last)


@pytest.mark.parametrize("looked_up", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_and_gradients_are_those_of_torch(cell, looked_up, threads):
    module, before = torch_module(cell), beginning(cell)
    codes = torch.randint(0, VOCAB, (TIME, BATCH)) if looked_up else None
    shape = (VOCAB, 5) if looked_up else (TIME, BATCH, 5)
    inputs = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(TIME, BATCH, SIZE, dtype=torch.float64)
    everything = [inputs, *before, *module.parameters()]

    start = tuple(part[None] for part in before)
    out, state = module(inputs[codes] if looked_up else inputs, start if cell == "lstm" else start[0])
    last = tuple(part[0] for part in state) if cell == "lstm" else state[0]
    expected = torch.autograd.grad(total(out, last, weights), everything)

    ours = LAYERS[cell].apply(inputs, codes, *before, *module.parameters())
    states, cells = ours if cell == "lstm" else (ours, None)
    torch.testing.assert_close(states, out)
    last = (states[-1], cells) if cell == "lstm" else states[-1]
    torch.testing.assert_close(torch.autograd.grad(total(states, last, weights), everything), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_in_single_precision_the_gates_are_as_exact_as_the_numbers(cell):
    module, before = torch_module(cell, torch.float32), beginning(cell, torch.float32)
    inputs = 4 * torch.randn(TIME, BATCH, 5)
    start = tuple(part[None] for part in before)
    out, _ = module(inputs, start if cell == "lstm" else start[0])
    ours = LAYERS[cell].apply(inputs, None, *before, *module.parameters())
    torch.testing.assert_close(ours[0] if cell == "lstm" else ours, out, atol=3e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_second_way_back_is_an_error_and_not_another_gradient(cell):
    if cell == "rnn":
        pytest.skip("what it keeps is not overwritten")
    module, inputs = torch_module(cell), torch.randn(TIME, BATCH, 5, dtype=torch.float64)
    out = LAYERS[cell].apply(inputs, None, *beginning(cell), *module.parameters())
    loss = (out[0] if cell == "lstm" else out).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_numbers_that_are_not_finite_are_not_hidden():
    work = torch.full((1, 4), torch.nan).numpy()
    cell, flat, hidden = torch.zeros(3, 1, 1).numpy()
    kernels.lstm_forward(work, torch.zeros(4).numpy(), cell, cell, flat, hidden)
    assert torch.from_numpy(hidden).isnan().all()


def test_great_numbers_saturate():
    hidden = torch.tensor([[-1e30, -200.0, -20.0, 20.0, 200.0, 1e30]]).numpy()
    kernels.rnn_forward(hidden, torch.zeros(6).numpy())
    assert hidden.tolist() == [[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]]


# --- the models that are built from them -----------------------------------------------------------------

ALL = {"residual": True, "layer_norm": True, "tied": True}
OPTIONS = ({}, *({name: True} for name in ALL), ALL)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
@pytest.mark.parametrize("cell", CELLS)
def test_kernels_and_torch_give_the_same_model(cell, options, monkeypatch):
    torch.manual_seed(0)
    model = Recurrent(cell, SIZE, 3, **options).build(VOCAB).double()
    symbols = torch.randint(0, VOCAB, (BATCH, TIME))
    results = []
    for ours in (True, False):
        monkeypatch.setattr(type(model), "_by_kernels", lambda self, symbols, ours=ours: ours)
        logits, state = model(symbols[:, :4])
        more, state = model(symbols[:, 4:], state)
        whole = torch.cat([logits, more], 1)
        results.append((whole, state, torch.autograd.grad(whole.sin().sum(), list(model.parameters()))))
    torch.testing.assert_close(*results)
    assert whole.shape == (BATCH, TIME, VOCAB)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
def test_one_step_at_a_time_gives_the_logits_of_the_whole(options):
    model = Recurrent("gru", SIZE, 2, **options).build(VOCAB).double()
    symbols, state, steps = torch.randint(0, VOCAB, (3, TIME)), None, []
    for time in range(TIME):
        logits, state = model(symbols[:, time : time + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), model(symbols)[0])


def test_dropout_silences_only_while_training():
    torch.manual_seed(0)
    model = Recurrent("gru", 64, 2, dropout=0.5).build(VOCAB)
    symbols = torch.randint(0, VOCAB, (4, TIME))
    assert not torch.equal(model(symbols)[0], model(symbols)[0])
    model.eval()
    torch.testing.assert_close(model(symbols)[0], model(symbols)[0], rtol=0, atol=0)


def test_a_tied_model_has_one_matrix_less_and_moderate_first_logits():
    def size(model: nn.Module) -> int:
        return sum(p.numel() for p in model.parameters())

    tied, free = (Recurrent("gru", 64, 1, tied=tied).build(50) for tied in (True, False))
    assert size(free) - size(tied) == 50 * 64
    assert tied.readout.weight is tied.embedding.weight
    assert tied(torch.arange(50)[None])[0].abs().max() < 5


def test_two_threads_evaluate_in_inference_mode():
    model, inputs = Recurrent("gru", 8, 2).build(7), torch.randint(0, 7, (32, 5))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode():
            found, _ = model.hidden(model.embedding(inputs))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found, model.hidden(model.embedding(inputs))[0])
