"use strict";

/* The copy buttons and the table of trials. All text goes in through textContent: labels and tracebacks are not trusted. */

(() => {
  const KEY = 0; // places in a row; more columns follow
  const ERROR = 1;
  const CANDIDATE = 2;
  const PHASE = 3;
  const STATUS = 5;
  const PAGE = 100;

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /* Copying */

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  }

  function copyBySelection(text) {
    const area = element("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      const done = await copy(code.textContent);
      button.textContent = done ? "Copied" : "Select it by hand";
      setTimeout(() => (button.textContent = "Copy"), 2000);
      button.focus();
    });
  }

  /* Trials */

  const table = JSON.parse(document.getElementById("trials-data").textContent);
  for (const { index } of table.columns.filter(({ type }) => type === "label")) {
    for (const row of table.rows) {
      if (typeof row[index] === "string") row[index] = BigInt(row[index]); // a seed that is too large for a number
    }
  }
  const section = document.getElementById("trials");
  const body = section.querySelector("tbody");
  const filters = Object.fromEntries(
    [...section.querySelectorAll("[data-filter]")].map((input) => [input.dataset.filter, input]),
  );
  const state = { sort: null, ascending: true, page: 0, rows: table.rows };
  let haystack = null; // built at the first search

  const whole = new Intl.NumberFormat("en");

  function number(value) {
    if (value === null) return "–";
    const rounded = Number.parseFloat(value.toPrecision(4));
    const size = Math.abs(rounded);
    if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(3);
    return rounded.toFixed(decimals(size));
  }

  function decimals(size) {
    if (size === 0) return 0;
    return Math.max(0, 3 - Math.floor(Math.log10(size)));
  }

  function cell(row, column) {
    const value = row[column.index];
    if (column.type === "integer") return element("td", "", value === null ? "–" : whole.format(value));
    if (column.type === "number") return element("td", "", number(value));
    if (column.type === "rate") return element("td", "", value === null ? "–" : String(Number(value.toPrecision(3))));
    if (column.type === "label") return element("td", "", String(value));
    if (column.index === STATUS) return statusCell(row);
    const made = element("td", "text");
    if (column.index === CANDIDATE) {
      const swatch = element("span", "swatch");
      swatch.style.background = `var(--${table.series[value]})`;
      made.append(swatch);
    }
    made.append(value === "" ? "–" : value);
    made.classList.add("long");
    if (value) made.title = value;
    return made;
  }

  function statusCell(row) {
    const made = element("td", "text");
    const status = row[STATUS];
    made.append(element("span", status === "diverged" || status === "failed" ? "bad" : "", status));
    if (row[ERROR] !== null) {
      const button = element("button", "", "why");
      button.type = "button";
      button.setAttribute("aria-label", `Why ${row[KEY]} ${status}`);
      button.addEventListener("click", () => explain(row));
      made.append(button);
    }
    return made;
  }

  function explain(row) {
    const dialog = section.querySelector("dialog");
    dialog.querySelector("h3").textContent = `${row[KEY]}: ${row[STATUS]}`;
    dialog.querySelector("pre").textContent = table.errors[row[ERROR]];
    dialog.showModal();
  }

  function matches(row, place, words) {
    for (const [name, index] of [["candidate", CANDIDATE], ["phase", PHASE], ["status", STATUS]]) {
      if (filters[name]?.value && row[index] !== filters[name].value) return false;
    }
    return words.every((word) => haystack[place].includes(word));
  }

  function select() {
    const words = filters.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && haystack === null) {
      haystack = table.rows.map((row) =>
        [row[KEY], ...row.slice(CANDIDATE), row[ERROR] === null ? "" : table.errors[row[ERROR]]].join(" ").toLowerCase(),
      );
    }
    state.rows = table.rows.filter((row, place) => matches(row, place, words));
    if (state.sort !== null) state.rows.sort(order);
    state.page = 0;
    draw();
  }

  /* What is absent comes last in either direction. */
  function order(left, right) {
    const [a, b] = [left[state.sort], right[state.sort]];
    if (a === null || b === null) return (a === null) - (b === null);
    const direction = state.ascending ? 1 : -1;
    return direction * (typeof a === "string" ? a.localeCompare(b) : (a > b) - (a < b));
  }

  function draw() {
    const start = state.page * PAGE;
    const shown = state.rows.slice(start, start + PAGE);
    const fragment = document.createDocumentFragment();
    for (const row of shown) {
      const line = element("tr");
      line.append(...table.columns.map((column) => cell(row, column)));
      fragment.append(line);
    }
    if (!shown.length) {
      const line = element("tr");
      const nothing = element("td", "text", table.rows.length ? "No trial matches." : "No trial has finished yet.");
      nothing.colSpan = table.columns.length;
      line.append(nothing);
      fragment.append(line);
    }
    body.replaceChildren(fragment);
    const total = state.rows.length;
    const of = total === table.rows.length ? "" : ` (of ${whole.format(table.rows.length)} in all)`;
    section.querySelector(".count").textContent = total
      ? `${whole.format(start + 1)}–${whole.format(start + shown.length)} of ${whole.format(total)} trials${of}`
      : "0 trials";
    section.querySelector("[data-turn='-1']").disabled = start === 0;
    section.querySelector("[data-turn='1']").disabled = start + PAGE >= total;
    section.querySelector(".turn").hidden = total <= PAGE;
  }

  for (const button of section.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const index = Number(button.dataset.sort);
      state.ascending = state.sort === index ? !state.ascending : true;
      state.sort = index;
      for (const other of section.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      button.parentElement.setAttribute("aria-sort", state.ascending ? "ascending" : "descending");
      select();
    });
  }
  for (const button of section.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => {
      state.page += Number(button.dataset.turn);
      draw();
      section.querySelector(".scroll").scrollTop = 0;
    });
  }
  for (const input of Object.values(filters)) input.addEventListener("input", select);
  section.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  draw();
  performance.mark("trials drawn");
})();
