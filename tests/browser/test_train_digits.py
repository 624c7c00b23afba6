"""TrainDigits in Chromium: it trains on the site's digits, shows its inside, finds its faults."""

from __future__ import annotations

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

from book.digits import TARGET
from widgets.train_digits import FAULTS, TrainDigits

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
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
    press(page, "Train")
    train_until(page, "lab.judged.at(-1).accuracy > 0.85")
    press(page, "Pause")
    steps = page.evaluate(f"{LAB}.lab().steps")
    page.wait_for_timeout(200)
    assert page.evaluate(f"{LAB}.lab().steps") == steps > 100
    assert "It reads" in page.locator(".td-reading").text_content()
    assert page.locator(".td-loss").get_attribute("points").count(",") > 20


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
    assert "Flat at first." in page.locator(".td-why").text_content()
    assert page.evaluate(f"{LAB}.lab().curve[0].loss") > 2.4  # surer than log 10
    press(page, "Pause")
    flat = "[...lab.net.layers[1].value].filter((h) => Math.abs(h) > 0.9).length"
    assert page.evaluate(f"(() => {{ const lab = {LAB}.lab(); return {flat}; }})()") > 0.7 * 32 * 16
    assert page.get_by_role("button", name="Saturated").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    "fault, low, high",
    [
        ("none", 0, 1e-3),
        ("sum", 30, 32),
        ("half", 0.4, 0.6),
        ("bias", 0.01, 2),
        ("slope", 0.01, 5),
        ("sign", 1.9, 2.1),
    ],
)
def test_the_check_measures_the_fault(show, fault, low, high):
    page = show(fault=fault)
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    errors = page.evaluate(f"Array.from({{ length: 3 }}, () => {LAB}.lab().check())")
    assert low <= max(errors) <= high
    press(page, "Check the gradient")
    wrong = "This backward pass is wrong" in page.locator(".td-status").text_content()
    assert wrong == (fault != "none")


def test_what_can_change_while_it_trains_changes_and_the_rest_starts_anew(show):
    page = show()
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    page.get_by_label("Backward pass").select_option("half")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().settings.fault]") == [1, "half"]
    page.get_by_label("Hidden units").select_option("32")
    assert page.evaluate(f"[{LAB}.lab().steps, {LAB}.lab().settings.hidden]") == [0, 32]
    assert page.evaluate("[model.get('hidden'), model.get('fault')]") == [32, "half"]
    page.get_by_label("Hidden units").select_option("0")
    assert "ten templates" in page.locator(".td").text_content()
    press(page, "One step")
    train_until(page, "lab.steps === 1 && lab.linear.length === 1")


def test_too_large_steps_are_told_as_such(show):
    page = show(rate=10, fault="sum", optimizers=("momentum",))
    press(page, "Train")
    train_until(page, "lab.diverged || lab.steps > 400")
    if page.evaluate(f"{LAB}.lab().diverged"):
        page.wait_for_timeout(100)
        assert "no number any more" in page.locator(".td-status").text_content()
        assert page.get_by_role("button", name="Train", exact=True).count() == 1


def test_no_digits_no_training_but_words(open_widget, digits):
    page = open_widget(TrainDigits(digits[0][:5], digits[1][:5]))
    page.evaluate("model.set = () => {}")
    press(page, "Train")
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
def test_accessible_and_inside_the_page(show, options):
    page = show(options)
    press(page, "One step")
    train_until(page, "lab.steps === 1")
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.wait_for_timeout(150)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_cleans_up(show):
    page = show()
    press(page, "Train")
    train_until(page, "lab.steps > 2")
    page.evaluate("cleanup()")
    assert page.evaluate("model.listeners") == 0 and page.locator(".td").count() == 0


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
    press(page, "Train")
    train_until(page, f"lab.steps > {after}")
    press(page, "Pause")
    assert (
        page.evaluate(
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
        is True
    )
