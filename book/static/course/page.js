/* Lets a keyboard scroll what is wider than the page: code, tables and formulas.
 *
 * Each becomes a tab stop while, and only while, it overflows.  Newer releases of the theme do this
 * for code and some tables, none does it for formulas.
 */
(() => {
  "use strict";

  const WIDE =
    "div.math, div.highlight > pre, .course-results-scroll, .pst-scrollable-table-container";

  function update(element) {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }

  function main() {
    const observer = new ResizeObserver((changes) => {
      for (const { target } of changes) update(target);
    });
    for (const element of document.querySelectorAll(WIDE)) {
      observer.observe(element);
      // A formula grows inside its box when MathJax replaces the text.
      new MutationObserver(() => update(element)).observe(element, { childList: true });
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
  else main();
})();
