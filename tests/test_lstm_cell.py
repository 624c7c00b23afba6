"""LstmCell: the numbers of the chapter, what it refuses, its picture."""

import numpy as np
import pytest
import traitlets

from widgets.lstm_cell import LstmCell, cell_steps

WEIGHTS = {"i": (4, 0, -2), "f": (0, 0, 3), "g": (2, 0.5, 0), "o": (0, 0, 1)}
SEQUENCES = {"1, then zeros": [1.0] + 15 * [0.0], "1, then noise": [1.0] + 5 * [0.3, -0.3, 0.1]}
PRESETS = [
    {"name": "Open", "forget": 3, "enter": -2, "sequence": "1, then zeros", "why": "It keeps."},
    {"name": "Half", "forget": 0, "enter": -2, "sequence": "1, then zeros", "why": "It halves."},
]


def make(**options):
    return LstmCell(WEIGHTS, SEQUENCES, presets=PRESETS, **options)


def test_the_numbers_of_the_chapter():
    first, second, *_, last = make().numbers()
    assert np.round([first[k] for k in "ifgoch"], 3).tolist() == [
        *(0.881, 0.953, 0.964, 0.731),
        *(0.849, 0.505),
    ]
    assert round(second["c"], 3) == 0.838 and round(last["c"], 3) == 0.712


def test_a_shut_forget_gate_keeps_nothing():
    widget = make()
    widget.forget = -8.0
    widget.enter = -8.0
    assert abs(widget.numbers()[-1]["c"]) < 1e-3


def test_it_is_torchs_cell():
    torch = pytest.importorskip("torch")
    cell = torch.nn.LSTMCell(1, 1).double()
    parts = [torch.tensor([WEIGHTS[name][k] for name in "ifgo"]).double() for k in range(3)]
    with torch.no_grad():
        cell.weight_ih.copy_(parts[0][:, None])
        cell.weight_hh.copy_(parts[1][:, None])
        cell.bias_ih.copy_(parts[2])
        cell.bias_hh.zero_()
        state = None
        for x, ours in zip(SEQUENCES["1, then noise"], make_noise()):
            state = cell(torch.tensor([[x]], dtype=torch.double), state)
            assert [s.item() for s in state] == pytest.approx([ours["h"], ours["c"]], abs=1e-9)


def make_noise():
    return cell_steps(SEQUENCES["1, then noise"], WEIGHTS)


@pytest.mark.parametrize(
    "change", [{"step": 0}, {"forget": 9.0}, {"enter": float("nan")}, {"sequence": "none"}]
)
def test_other_values_are_refused(change):
    with pytest.raises(traitlets.TraitError):
        make().set_trait(*next(iter(change.items())))


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="three numbers"):
        LstmCell({**WEIGHTS, "f": (0, 0, 9)}, SEQUENCES)
    with pytest.raises(ValueError, match="16 numbers"):
        LstmCell(WEIGHTS, {"short": [1.0]})
    with pytest.raises(ValueError, match="no sequence"):
        LstmCell(WEIGHTS, SEQUENCES, presets=[{**PRESETS[0], "sequence": "none"}])


def test_it_has_a_picture():
    assert make(step=2).poster().startswith(b"\x89PNG")
