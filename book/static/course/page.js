/* What is wider than the page (code, tables, formulas) shows that it scrolls, for a keyboard, too.
 *
 * While, and only while, it overflows it is a tab stop; while more follows on its right it has the
 * class "course-more", which fades it out there.  Newer releases of the theme give code and some
 * tables a tab stop, none does it for formulas.
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

  function main() {
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
