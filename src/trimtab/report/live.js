"use strict";

/* A page that is not the last one loads itself anew, and looks as it did: what is open, chosen, filtered and scrolled to. */

(() => {
  const standing = document.querySelector(".standing[data-next]");
  const boxes = () => [...document.querySelectorAll(".scroll")];
  const plots = () => [...document.querySelectorAll(".plot")];
  const filters = () => [...document.querySelectorAll("[data-filter]")];

  function nameOf(details) {
    const summary = details.querySelector("summary").cloneNode(true);
    summary.querySelectorAll(".about").forEach((each) => each.remove());
    return details.id || summary.textContent.trim();
  }

  function choices() {
    return plots().flatMap((plot) => {
      const groups = [...plot.parentElement.querySelectorAll(".choices")];
      return groups.map((group, index) => [`${plot.dataset.figure} ${index}`, group]);
    });
  }

  function sorted() {
    const head = document.querySelector(".trials th[aria-sort]");
    return head && [head.querySelector("[data-sort]").dataset.sort, head.getAttribute("aria-sort")];
  }

  function look() {
    return {
      scroll: [scrollX, scrollY],
      heights: plots().map((plot) => [plot.dataset.figure, plot.offsetHeight]),
      boxes: boxes().map((box) => [box.scrollLeft, box.scrollTop]),
      open: [...document.querySelectorAll("details[open]")].map(nameOf),
      filters: filters().map((input) => [input.dataset.filter, input.value]),
      choices: choices().map(([name, group]) => [name, group.querySelector("[aria-pressed='true']").dataset.choice]),
      sorted: sorted(),
    };
  }

  function restore(kept) {
    for (const details of document.querySelectorAll("details")) details.open = kept.open.includes(nameOf(details));
    const values = new Map(kept.filters);
    for (const input of filters()) {
      if (!values.get(input.dataset.filter)) continue;
      input.value = values.get(input.dataset.filter);
      input.dispatchEvent(new Event("input"));
    }
    if (kept.sorted) {
      const button = document.querySelector(`.trials [data-sort="${CSS.escape(kept.sorted[0])}"]`);
      button?.click();
      if (kept.sorted[1] === "descending") button?.click();
    }
    const chosen = new Map(kept.choices);
    for (const [name, group] of choices()) {
      const button = [...group.children].find((each) => each.dataset.choice === chosen.get(name));
      if (button && button.getAttribute("aria-pressed") === "false") button.click();
    }
    const heights = new Map(kept.heights);
    for (const plot of plots()) plot.style.minHeight = `${heights.get(plot.dataset.figure) ?? 0}px`; // until it is drawn
    addEventListener("figuresdrawn", () => plots().forEach((plot) => (plot.style.minHeight = "")));
    boxes().forEach((box, index) => box.scrollTo(...(kept.boxes[index] ?? [0, 0])));
    scrollTo({ left: kept.scroll[0], top: kept.scroll[1], behavior: "instant" });
  }

  /* Whoever types, reads an error or has marked something is left alone until that is over. */
  function busy() {
    const typing = document.activeElement?.matches("input, select") && document.hasFocus();
    return typing || document.querySelector("dialog[open]") !== null || !getSelection().isCollapsed;
  }

  function again() {
    if (document.hidden || busy()) {
      setTimeout(again, 1000);
      return;
    }
    keep({ look: look() });
    location.reload();
  }

  /* In the entry of the history: what is in the session's storage is sometimes gone after a reload. */
  function keep(state) {
    try {
      history.replaceState(state, "");
    } catch {
      /* then it begins at its top */
    }
  }

  function kept() {
    const found = history.state?.look ?? null;
    if (found !== null) keep(null); // whoever opens the page later sees it from its top
    return found;
  }

  function sayIfLate() {
    if (Date.now() <= Number(standing.dataset.late)) return;
    standing.classList.add("late");
    standing.querySelector(".late-words").hidden = false;
  }

  const before = kept();
  if (before !== null) {
    history.scrollRestoration = "manual";
    restore(before);
  }
  if (standing !== null) {
    sayIfLate();
    setInterval(sayIfLate, 5000);
    const { seconds, next } = standing.dataset;
    const left = Number(next) - Date.now();
    setTimeout(again, left > 0 ? left : 1000 * Math.max(5, Number(seconds) / 10)); // it is due, but not there yet
  }
})();
