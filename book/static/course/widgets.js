/* Starts a page's interactive figures from the state that the notebook saved.
 *
 * No kernel, no require.js, no CDN.  Every figure of the course is an anywidget: its state holds
 * an ES module (_esm), a style sheet (_css) and its data.  The module is imported from memory and
 * given a small stand-in for the model that a live kernel would provide.  Anything else (a plain
 * ipywidget) keeps its static text.
 *
 * In the page (made by book/course_book.py):
 *   <div class="course-widget">                    data-state: "starting", "ready" or "failed"
 *     <div class="course-poster"> … </div>         the static picture; hidden once "ready"
 *                                                  (or <details>, folded once "ready")
 *     <script type="application/vnd.jupyter.widget-view+json">{"model_id": …}</script>
 *   </div>
 *   <script type="application/vnd.jupyter.widget-state+json"> … </script>     at the page's end
 */
(() => {
  "use strict";

  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
  const NEAR = "600px"; // a figure starts when it is this close to the visible part of the page

  /** Decode base64 into a DataView, the type in which a live kernel delivers bytes. */
  function decode(base64) {
    const binary = atob(base64);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return new DataView(bytes.buffer);
  }

  /** The part of the Jupyter widget model that anywidget modules use. */
  class Model {
    constructor(id, entry, getModel) {
      this.model_id = id;
      this.widget_manager = { get_model: async (other) => getModel(other) };
      this.data = structuredClone(entry.state);
      this.listeners = [];
      for (const { path, data } of entry.buffers ?? []) {
        const parent = path.slice(0, -1).reduce((node, key) => node[key], this.data);
        parent[path[path.length - 1]] = decode(data);
      }
    }

    get(name) {
      return this.data[name];
    }

    set(name, value) {
      if (typeof name === "object") {
        for (const [key, item] of Object.entries(name)) this.set(key, item);
      } else if (!Object.is(this.data[name], value)) {
        this.data[name] = value;
        this.emit(`change:${name}`, this, value);
        this.emit("change", this);
      }
    }

    on(events, callback) {
      for (const event of events.split(/\s+/)) this.listeners.push({ event, callback });
    }

    off(event, callback) {
      this.listeners = this.listeners.filter(
        (l) => (event && l.event !== event) || (callback && l.callback !== callback),
      );
    }

    emit(event, ...values) {
      for (const l of [...this.listeners]) if (l.event === event) l.callback(...values);
    }

    save_changes() {} // there is no kernel to tell
    send() {}
  }

  const models = new Map(); // model id -> Model
  const modules = new Map(); // source -> promise of the imported module
  const sheets = new Set(); // style sheets that are on the page already

  /** Import a widget's module from memory (once for each source) and add its style sheet. */
  function load(model) {
    const style = model.get("_css");
    if (style && !sheets.has(style)) {
      sheets.add(style);
      document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
    }
    const source = model.get("_esm");
    if (!modules.has(source)) {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const widget = import(url).then((module) => module.default ?? module);
      modules.set(source, widget.then((w) => (typeof w === "function" ? w() : w)));
    }
    return modules.get(source);
  }

  /** Start one figure; whatever goes wrong, its static picture stays. */
  async function start(slot, model) {
    const el = document.createElement("div");
    const context = { model, signal: new AbortController().signal, experimental: {} };
    slot.dataset.state = "starting";
    slot.prepend(el);
    try {
      const widget = await load(model);
      model.initialized ??= Promise.resolve(widget.initialize?.(context));
      await model.initialized;
      await widget.render({ ...context, el });
      slot.dataset.state = "ready";
      const picture = slot.querySelector(":scope > details"); // the picture that opens a chapter
      if (picture) picture.open = false;
    } catch (error) {
      el.remove();
      slot.dataset.state = "failed";
      console.error("The interactive figure could not start:", error);
    }
  }

  /** Find the page's anywidgets and start each when it comes near the visible part. */
  function main() {
    const holder = document.querySelector(STATE);
    if (!holder) return;
    const entries = JSON.parse(holder.textContent).state;
    const getModel = (id) => {
      if (!models.has(id)) models.set(id, new Model(id, entries[id], getModel));
      return models.get(id);
    };
    const observer = new IntersectionObserver(
      (changes) => {
        for (const { isIntersecting, target } of changes) {
          if (!isIntersecting) continue;
          observer.unobserve(target);
          start(target, getModel(target.dataset.model));
        }
      },
      { rootMargin: NEAR },
    );
    for (const view of document.querySelectorAll(`.course-widget ${VIEW}`)) {
      const id = JSON.parse(view.textContent).model_id;
      if (entries[id]?.state._view_module !== "anywidget") continue;
      const slot = view.closest(".course-widget");
      slot.dataset.model = id;
      observer.observe(slot);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
  else main();
})();
