"""TrainDigits in Chromium: it trains on the site's digits, shows its inside, finds its faults."""

from __future__ import annotations

import shutil

import pytest

from book.digits import TARGET
from tests.browser.harness import PHONE, assert_accessible
from widgets.train_digits import FAULTS, TrainDigits

PRESETS = [
    {"name": "Just right", "rate": 0.2, "why": "It settles."},
    {"name": "Saturated", "scale": 30.0, "why": "Flat at first."},
]
LAB = "document.querySelector('.td').trainDigits"


@pytest.fixture
def show(open_widget, tmp_path, digits):
    """`page = show(**settings)`: the figure beside the site's own file of digits."""
    (tmp_path / "course").mkdir()
    shutil.copy(TARGET, tmp_path / "course")

    def show(options=None, **settings):
        settings = {"hidden": 16, "rate": 0.2, "inside": True, "presets": PRESETS} | settings
        widget = TrainDigits(
            digits[0][:5], digits[1][:5], activations=("tanh", "relu"), faults=FAULTS, **settings
        )
        page = open_widget(widget, **(options or {}))
        page.evaluate(
            """new Promise((done) => {
              const script = document.createElement("script");
              script.src = "course/widgets.js";
              script.onerror = script.onload = done;
              document.head.append(script);
            })"""
        )
        return page

    (tmp_path / "course" / "widgets.js").write_text("")
    return show


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def train_until(page, condition, timeout=60_000):
    page.wait_for_function(
        f"() => {{ const lab = {LAB}.lab(); return lab && ({condition}); }}", timeout=timeout
    )


def test_one_step_and_then_a_training(show):
    page = show()
    assert "600 kB" in page.locator(".td-status").text_content()
    press(page, "One step")
    train_until(page, "lab.steps === 1 && lab.judged.length === 1")
    before = page.evaluate(f"{LAB}.lab().judged[0].accuracy")
    assert before < 0.5 and "Step 1," in page.locator(".td-status").text_content()
    press(page, "Train 1,000 steps")
    train_until(page, "lab.steps > 20")
    press(page, "Pause")
    steps = page.evaluate(f"{LAB}.lab().steps")
    page.wait_for_timeout(200)
    assert page.evaluate(f"{LAB}.lab().steps") == steps
    press(page, "Train 1,000 steps")
    train_until(page, "lab.finished")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().judged.at(-1).accuracy > 0.88]") == [
        1000,
        True,
    ]
    assert "It reads" in page.locator(".td-reading").text_content()
    assert (
        page.locator(".sc-line.sc-orange:not(.sc-ghost)").first.get_attribute("points").count(",")
        > 20
    )


def test_a_new_network_is_there_at_the_first_press_and_has_no_gradient_yet(show):
    page = show()
    press(page, "New network")
    train_until(page, "lab.steps === 0")
    assert page.evaluate(f"Math.max(...{LAB}.lab().linear[0].grads.weight)") == 0


def test_a_new_network_starts_over_and_a_preset_trains_at_once(show):
    page = show()
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    first = page.evaluate(f"[...{LAB}.lab().linear[0].params.weight.slice(0, 5)]")
    press(page, "New network")
    assert page.evaluate(f"{LAB}.lab().steps") == 0
    assert page.evaluate(f"[...{LAB}.lab().linear[0].params.weight.slice(0, 5)]") != first
    press(page, "Saturated")
    train_until(page, "lab.steps > 3")
    assert "Flat at first." in page.locator(".cw-why").text_content()
    assert page.evaluate(f"{LAB}.lab().curve[0].loss") > 2.4  # surer than log 10
    press(page, "Pause")
    flat = "[...lab.net.layers[1].value].filter((h) => Math.abs(h) > 0.9).length"
    assert page.evaluate(f"(() => {{ const lab = {LAB}.lab(); return {flat}; }})()") > 0.7 * 32 * 16
    assert page.get_by_role("button", name="Saturated").get_attribute("aria-pressed") == "true"
    page.get_by_label("Backward pass").select_option("sign")
    press(page, "Just right")  # sets everything
    assert page.evaluate("[model.get('fault'), model.get('rate')]") == ["none", 0.2]
    train_until(page, "lab.steps > 30")
    assert "," in page.locator(".sc-ghost.sc-orange").first.get_attribute(
        "points"
    )  # the one before, faint


def test_a_check_changes_nothing_of_the_training(show):
    def five_steps_later(first):
        page = show()
        press(page, "One step")
        train_until(page, "lab.steps === 1 && lab.judged.length === 1")
        return page.evaluate(
            f"""() => {{
              const lab = {LAB}.lab();
              {first}
              for (let k = 0; k < 5; k++) lab.step();
              return [...lab.linear[1].params.bias];
            }}"""
        )

    assert five_steps_later("lab.check();") == five_steps_later("")


@pytest.mark.parametrize(
    "fault, weight, bias",
    [
        ("none", (0, 1e-5), (0, 1e-5)),
        ("sum", (0.96, 0.97), (0.96, 0.97)),  # 31 / 32
        ("half", (0.499, 0.501), (0.499, 0.501)),
        ("bias", (0, 1e-5), (1, 1)),
        ("slope", (0.01, 2), (0.01, 2)),
        ("sign", (1.999, 2.001), (1.999, 2.001)),
    ],
)
def test_the_check_measures_the_fault_and_forgets_it(show, fault, weight, bias):
    page = show(fault=fault)
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    found = page.evaluate(f"{LAB}.lab().check()")
    assert weight[0] <= found["weight"] <= weight[1] and bias[0] <= found["bias"] <= bias[1]
    press(page, "Check the gradient")
    verdict = page.locator(".td-checked")
    assert ("This backward pass is wrong" in verdict.text_content()) == (fault != "none")
    page.get_by_label("Backward pass").select_option("none" if fault != "none" else "sign")
    assert verdict.text_content() == ""


def test_where_units_are_saturated_there_is_nothing_to_judge(show):
    # So far out that no unit on any batch is near its steep part.
    page = show(presets=[{"name": "Dead", "why": "Far out.", "scale": 1e9}])
    press(page, "Dead")
    train_until(page, "lab.steps > 3")
    press(page, "Pause")
    press(page, "Check the gradient")
    assert "too small to judge" in page.locator(".td-checked").text_content()
    assert "is wrong" not in page.locator(".td-checked").text_content()


def test_what_can_change_while_it_trains_changes_and_the_rest_starts_anew(show):
    page = show()
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    page.get_by_label("Learning rate").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().settings.rate > 0.2]") == [1, True]
    page.get_by_label("Backward pass").select_option("half")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().settings.fault]") == [0, "half"]
    page.get_by_label("Hidden units").select_option("32")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().settings.hidden]") == [0, 32]
    assert page.evaluate("[model.get('hidden'), model.get('fault')]") == [32, "half"]
    page.get_by_label("Hidden units").select_option("0")
    assert "ten templates" in page.locator(".td").text_content()
    press(page, "One step")
    train_until(page, "lab.steps === 1 && lab.linear.length === 1")


def test_too_large_steps_are_told_as_such(show):
    page = show(rate=10, fault="sum", optimizers=("momentum",))
    press(page, "Train 1,000 steps")
    train_until(page, "lab.diverged || lab.steps > 400")
    if page.evaluate(f"{LAB}.lab().diverged"):
        page.wait_for_timeout(100)
        assert "no number any more" in page.locator(".td-status").text_content()
        assert page.get_by_role("button", name="Train", exact=True).count() == 1


def test_no_digits_no_training_but_words(open_widget, digits):
    page = open_widget(TrainDigits(digits[0][:5], digits[1][:5]))
    page.evaluate("model.set = () => {}")
    press(page, "Train 1,000 steps")
    page.wait_for_timeout(100)
    assert page.evaluate(f"{LAB}.lab()") is None


def test_a_picture_of_a_running_training_is_quick(show):
    page = show(hidden=64)
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    page.evaluate("for (let i = 0; i < 5; i++) model.set('unit', i)")
    page.wait_for_timeout(100)
    assert float(page.locator(".td").get_attribute("data-ms")) < 100  # idle: below 16


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_accessible_when_it_has_trained(show, options):
    page = show(options)
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    assert_accessible(page)


@pytest.mark.parametrize(
    "rate, after, condition",
    [
        (0.2, 300, "loss < 1"),
        (0.001, 200, "loss > 2"),
        (1.0, 200, "loss > 0.3 && alive < 32"),
        (3.0, 200, "loss > 2.2 && alive === 0"),
    ],
    ids=["just right", "too slow", "too fast", "dead"],
)
def test_the_presets_of_chapter_1_show_what_they_claim(show, rate, after, condition):
    page = show(hidden=32, rate=rate, activation="relu", inside=False, presets=())
    press(page, "Train 1,000 steps")
    train_until(page, f"lab.steps > {after}")
    press(page, "Pause")
    found = page.evaluate(
        f"""() => {{
          const lab = {LAB}.lab();
          const last = lab.curve.slice(-10);
          const loss = last.reduce((sum, point) => sum + point.loss, 0) / last.length;
          lab.net.forward(lab.heldOut.images.subarray(0, 100 * 784), 100);
          const fires = [...lab.net.layers[1].value].flatMap((h, i) => (h > 0 ? [i % 32] : []));
          const alive = new Set(fires).size;
          return {condition} || `loss ${{loss}}, ${{alive}} units alive`;
        }}"""
    )
    assert found is True
