import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.kernels.bf16_linear import Linear
from pipeline.models.kernels.linear_scan import MIN_SHARE, gated_scan, parallel_scan
from pipeline.models.min_gru import MinGru, _BesidePrevious


def numbers(batch: int, time: int, size: int, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Gates and a start, wide enough that some of them are shut."""
    generator = torch.Generator().manual_seed(batch + time)
    gates = 4 * torch.randn(batch, time, 3 * size, generator=generator, dtype=dtype)
    start = torch.randn(batch, size, generator=generator, dtype=dtype)
    return gates.requires_grad_(), start.requires_grad_()


def plain_loop(gates: torch.Tensor, start: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The recurrence as it is written."""
    h, outputs = start, []
    for forget, candidate, output in (step.chunk(3, -1) for step in gates.unbind(1)):
        h = forget.sigmoid() * h + (1 - forget.sigmoid()) * candidate
        outputs.append(h * output * output.sigmoid())
    return torch.stack(outputs, 1), h


def with_gradients(scan, gates: torch.Tensor, start: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Outputs, last state, and the gradients of both of some function of them."""
    outputs, last = scan(gates, start)
    loss = (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum() + last.sin().sum()
    return outputs, last, *torch.autograd.grad(loss, (gates, start))


SHAPES = [(1, 1, 1), (3, 1, 5), (2, 13, 7), (4, 64, 33)]


@pytest.mark.parametrize("shape", SHAPES)
def test_doubling_equals_the_loop(shape):
    gates, start = numbers(*shape)
    expected = with_gradients(plain_loop, gates, start)
    torch.testing.assert_close(with_gradients(parallel_scan, gates, start), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_compiled_scan_equals_the_loop(shape):
    gates, start = numbers(*shape)
    expected = with_gradients(plain_loop, gates, start)
    single = [x.detach().float().requires_grad_() for x in (gates, start)]
    found = with_gradients(gated_scan, *single)
    assert found[0].grad_fn.name() == "CompiledScanBackward"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


def test_gates_of_half_the_precision_are_scanned_in_single():
    gates, start = numbers(2, 13, 7, torch.float32)
    outputs, last = gated_scan(gates.bfloat16(), start)
    assert outputs.dtype == last.dtype == torch.float32
    torch.testing.assert_close(outputs, plain_loop(gates.bfloat16().float(), start)[0])


def test_rows_in_several_threads_equal_rows_in_one(monkeypatch):
    gates, start = numbers(5, 64, 3 * MIN_SHARE // (5 * 64), torch.float32)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone = with_gradients(gated_scan, gates, start)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for one, other in zip(with_gradients(gated_scan, gates, start), alone, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("scan", [parallel_scan, gated_scan])
def test_gradients_of_finite_differences(scan):
    assert torch.autograd.gradcheck(scan, numbers(2, 6, 3))


@pytest.mark.parametrize("scan", [parallel_scan, gated_scan])
@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_gates_far_out_stay_finite(scan, extreme):
    gates, start = torch.full((2, 9, 6), extreme, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    assert all(torch.isfinite(x).all() for x in with_gradients(scan, gates, start))


def test_gradients_of_the_step_before():
    inputs = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    before = torch.randn(2, 1, 3, dtype=torch.float64, requires_grad=True)
    both = _BesidePrevious.apply(inputs, before)
    assert torch.equal(both[:, 1:, 3:], inputs[:, :-1])
    assert torch.autograd.gradcheck(_BesidePrevious.apply, (inputs, before))


def test_a_product_with_rounded_factors_and_its_gradients():
    torch.manual_seed(0)
    rounded = Linear(64, 48)
    exact = torch.nn.Linear(64, 48)
    exact.load_state_dict(rounded.state_dict())
    inputs = torch.randn(5, 7, 64, requires_grad=True)
    results = []
    for linear in (rounded, exact):
        outputs = linear(inputs)
        results.append(
            (outputs, *torch.autograd.grad(outputs.square().sum(), (inputs, *linear.parameters())))
        )
    for one, other in zip(*results, strict=True):
        assert (one - other).norm() < 2**-7 * other.norm()
    assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "model.hidden_size=0 is not between 1 and 65536"),
        ({"expansion": 0}, "model.expansion=0 is not between 1 and 65536"),
        ({"dropout": 1.0}, "model.dropout=1.0 is not at least 0 and below 1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ConfigError) as caught:
        MinGru(**settings)
    assert message in str(caught.value)
