/* Lets a keyboard scroll what is wider than the page.
 *
 * The theme does this for code and tables, but not for formulas and the chapters' result tables:
 * each becomes a tab stop while, and only while, it overflows.
 */
(() => {
  "use strict";

  function update(element) {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }

  function main() {
    const observer = new ResizeObserver((changes) => {
      for (const { target } of changes) update(target.closest("[data-scroll]") ?? target);
    });
    for (const element of document.querySelectorAll("div.math, .course-results-scroll")) {
      element.dataset.scroll = "";
      observer.observe(element);
      // A formula grows inside its box when MathJax replaces the text.
      new MutationObserver(() => update(element)).observe(element, { childList: true });
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
  else main();
})();
