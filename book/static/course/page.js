/* Three things that no setting of the theme does.
 *
 * 1. What is wider than the page (code, tables, formulas) shows that it scrolls, for a keyboard, too.
 *    While, and only while, it overflows it is a tab stop; while more follows on its right it has
 *    the class "course-more", which fades it out there.  Newer releases of the theme give code and
 *    some tables a tab stop, none does it for formulas.
 * 2. A link into a page leads to its place, though formulas and figures above it grow later.
 * 3. A page is printed in the light palette.
 */
(() => {
  "use strict";

  const WIDE = ".math, div.highlight > pre, .course-results-scroll, .pst-scrollable-table-container";

  const SLACK = 4; // px that may overflow: the hat of a letter in a formula reaches over its box

  function update(element) {
    const beyond = element.scrollWidth - element.clientWidth;
    if (beyond > SLACK) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
    element.classList.toggle("course-more", beyond - element.scrollLeft > SLACK);
  }

  const HELD = 10_000; // ms at most in which a place is held

  /** Hold the place that the address names until the reader moves. */
  function holdPlace() {
    const visit = performance.getEntriesByType("navigation")[0]?.type;
    let until = visit === "navigate" ? performance.now() + HELD : 0; // else the browser knows where
    for (const move of ["wheel", "touchstart", "pointerdown", "keydown"]) {
      addEventListener(move, () => (until = 0), { capture: true, passive: true });
    }
    addEventListener("click", ({ target }) => {
      if (target.closest?.('a[href*="#"]')) until = performance.now() + HELD;
    });
    new ResizeObserver(() => {
      if (performance.now() > until) return;
      document.querySelector(":target")?.scrollIntoView({ behavior: "instant" });
    }).observe(document.body);
  }

  /** Be light on paper, whatever the screen is. */
  function printLight() {
    const root = document.documentElement.dataset;
    let theme = root.theme;
    matchMedia("print").addEventListener("change", ({ matches }) => {
      if (matches) theme = root.theme;
      root.theme = matches ? "light" : theme;
    });
  }

  function main() {
    holdPlace();
    printLight();
    const observer = new ResizeObserver((changes) => {
      for (const { target } of changes) update(target);
    });
    for (const element of document.querySelectorAll(WIDE)) {
      observer.observe(element);
      element.addEventListener("scroll", () => update(element), { passive: true });
      // A formula grows inside its box when MathJax replaces the text.
      new MutationObserver(() => update(element)).observe(element, { childList: true });
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
  else main();
})();
