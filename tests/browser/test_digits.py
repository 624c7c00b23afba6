"""js/lib/digits.js: digits from the site's script, over http and from files, or from Python."""

import shutil

import pytest

from book.digits import TARGET
from tests.test_training_digits import SCRIPT

PAGE = """<!doctype html><link rel="icon" href="data:,"><script src="course/widgets.js"></script>
<script>
  globalThis.model = {
    data: {}, asked: [], listeners: [],
    get(name) { return this.data[name]; },
    set(name, value) { this.asked.push(name); this.data[name] = value; },
    save_changes() {},
    on(event, callback) { this.listeners.push(callback); },
    off() { this.listeners = []; },
  };
</script>"""
READ = """async () => {
  const { trainingDigits } = await import(globalThis.digitsModule);
  const { training, heldOut } = await trainingDigits(model);
  const fold = (part, f) => part.images.reduce((a, b) => f(a, b));
  return { sizes: [training, heldOut].map((p) => [p.images.length, p.labels.length]),
           labels: [...training.labels, ...heldOut.labels].join(""),
           ink: [Math.min, Math.max, (a, b) => a + b / 784000].map((f) => fold(heldOut, f)) };
}"""


@pytest.fixture
def folder(tmp_path):
    """A page beside the site's scripts; its module is one string, as in the book."""
    from widgets.base import bundle

    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "widgets.js").write_text("")
    shutil.copy(TARGET, tmp_path / "course")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf8")
    (tmp_path / "module.js").write_text(bundle("lib/digits.js"), encoding="utf8")
    return tmp_path


def visit(page, folder, address):
    source = (folder / "module.js").read_text(encoding="utf8")
    page.goto(address)
    page.evaluate(
        """(source) => {
          const blob = new Blob([source], { type: "text/javascript" });
          globalThis.digitsModule = URL.createObjectURL(blob);
        }""",
        source,
    )


@pytest.mark.parametrize("kind", ["http", "file"])
def test_digits_come_from_the_sites_own_script(serve, open_page, folder, kind):
    page, net = open_page()
    with serve(folder) as url:
        visit(
            page,
            folder,
            url + "/index.html" if kind == "http" else (folder / "index.html").as_uri(),
        )
        found = page.evaluate(READ)
        again = page.evaluate(READ)
    assert found["sizes"] == [[4000 * 784, 4000], [1000 * 784, 1000]]
    assert found["labels"] == SCRIPT.search(TARGET.read_text(encoding="ascii"))[2]
    assert found["ink"][:2] == [0, 1] and 0.1 < found["ink"][2] < 0.17
    assert again == found and page.evaluate("model.asked") == []
    net.assert_clean()


def test_a_missing_file_is_a_clear_error_and_can_be_tried_again(serve, open_page, folder):
    page, _ = open_page()
    (folder / "course" / "digits.js").rename(folder / "elsewhere.js")
    with serve(folder) as url:
        visit(page, folder, url + "/index.html")
        with pytest.raises(Exception, match="The digits could not be loaded"):
            page.evaluate(READ)
        (folder / "elsewhere.js").rename(folder / "course" / "digits.js")
        assert page.evaluate(READ)["sizes"][1] == [1000 * 784, 1000]


def test_with_a_kernel_they_come_from_python(serve, open_page, folder):
    page, net = open_page()
    (folder / "index.html").write_text(PAGE.replace("course/widgets.js", "module.js").replace(
        "<script src", '<script type="none" data-x'), encoding="utf8")  # fmt: skip
    with serve(folder) as url:
        visit(page, folder, url + "/index.html")
        found = page.evaluate(
            """async () => {
              const { trainingDigits } = await import(globalThis.digitsModule);
              const stream = new Blob([new Uint8Array(2 * 392).fill(0xf0)]).stream()
                .pipeThrough(new CompressionStream("deflate"));
              const pixels = new DataView(await new Response(stream).arrayBuffer());
              const promise = trainingDigits(model);
              model.data._digits = { pixels, labels: "37", held_out: 1 };
              for (const callback of model.listeners) callback();
              const { training, heldOut } = await promise;
              return [model.asked, [...training.labels], [...heldOut.labels], [...heldOut.images.slice(0, 2)]];
            }"""  # noqa: E501
        )
    assert found == [["_digits_wanted"], [3], [7], [1, 0]]
    net.assert_clean()
