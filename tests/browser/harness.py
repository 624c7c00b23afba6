"""A page with one widget in it, made from the widget's state: what a book page does, and no more.

The front end talks to a model with `get`, `set`, `save_changes`, `on` and `off`. Here it is a few
lines of JavaScript that also note every call to `set` and `save_changes` in `window.calls`.
"""

from __future__ import annotations

import base64
import json

from axe_playwright_python.sync_playwright import Axe
from ipywidgets.widgets.widget import _remove_buffers

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
COLOURS = """[...document.querySelectorAll("main *")].map((e) => {
  const { color, fill, stroke, backgroundColor } = getComputedStyle(e);
  return [color, fill, stroke, backgroundColor].join();
})"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>A widget</title>
<style>
  :root { color-scheme: light; --pst-color-text-base: #323232; --pst-color-background: #fff;
          --pst-color-primary: #176de8; }
  :root[data-theme="dark"] { color-scheme: dark; --pst-color-text-base: #ced6dd;
          --pst-color-background: #14181e; --pst-color-primary: #528fe4; }
  body { margin: 20px; background: var(--pst-color-background); font-family: sans-serif; }
  main { max-width: 740px; margin: auto; }
</style>
<style>$css</style>
</head>
<body><main><h1>A widget</h1><div id="one"></div><div id="two"></div></main>
<script type="application/json" id="state">$state</script>
<script type="module">
  import widget from "./widget.js";

  const state = JSON.parse(document.getElementById("state").textContent);
  const unbase64 = (s) => new DataView(Uint8Array.from(atob(s), (c) => c.charCodeAt(0)).buffer);
  for (const { path, data } of state.buffers) {
    const parent = path.slice(0, -1).reduce((node, key) => node[key], state);
    parent[path.at(-1)] = unbase64(data);
  }

  let listeners = [];
  window.calls = [];
  window.model = {
    get: (key) => state[key],
    set(key, value) {
      window.calls.push(["set", key]);
      state[key] = value;
      for (const l of [...listeners]) if (l.event === `change:${key}`) l.callback();
    },
    save_changes: () => window.calls.push(["save_changes"]),
    on: (event, callback) => listeners.push({ event, callback }),
    off(event, callback) {
      listeners = listeners.filter((l) => l.event !== event || l.callback !== callback);
    },
    get listeners() { return listeners.length; },
  };
  window.show = async (id) =>
    widget.render({ model: window.model, el: document.getElementById(id) });
  window.cleanup = await window.show("one");
  document.documentElement.dataset.up = "1";
</script>
</body></html>
"""


def write_page(folder, widget, name: str = "index.html"):
    """Write `name` and the module `widget.js` into `folder` from the widget's state."""
    esm, css = type(widget).front_end()
    state, paths, buffers = _remove_buffers(widget.get_state())
    state = {k: v for k, v in state.items() if k not in ("_esm", "_css", "layout")}
    state["buffers"] = [
        {"path": path, "data": base64.b64encode(data).decode("ascii")}
        for path, data in zip(paths, buffers, strict=True)
    ]
    text = json.dumps(state).replace("</", "<\\/")
    (folder / "widget.js").write_text(esm, "utf-8")
    (folder / name).write_text(PAGE.replace("$css", css).replace("$state", text), "utf-8")


def assert_accessible(page):
    """Nothing for axe-core in either colour scheme, and the figure follows the scheme."""
    colours = {}
    for theme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.wait_for_timeout(250)  # transitions of colours
        found = Axe().run(page, options={"resultTypes": ["violations"], **options})
        assert found.violations_count == 0, f"{theme}: {found.generate_report()}"
        colours[theme] = page.evaluate(COLOURS)
    assert colours["light"] != colours["dark"]
