"use strict";

/* Draws the figures of a method's page in the colours of the scheme, again when that changes. */

(() => {
  const dark = new Map(Object.entries(JSON.parse(document.querySelector(".figures > .colours").textContent)));
  const places = [...document.querySelectorAll(".figures > .figure")];
  const figures = places.map((place) => JSON.parse(place.nextElementSibling.textContent));

  /* Exchanges the colours that figures are built with, wherever they stand. */
  function themed(value, theme) {
    if (typeof value === "string") return theme.get(value) ?? value;
    if (Array.isArray(value)) return value.map((item) => themed(item, theme));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, theme)]));
  }

  function draw() {
    const theme = document.body.dataset.mdColorScheme === "slate" ? dark : new Map();
    const colours = getComputedStyle(document.body);
    places.forEach((place, index) => {
      const { data, layout } = themed(figures[index], theme);
      layout.font.family = colours.fontFamily;
      layout.hoverlabel = { ...layout.hoverlabel, bgcolor: colours.getPropertyValue("--md-code-bg-color").trim() };
      layout.hoverlabel.font = { color: layout.font.color };
      Plotly.react(place, data, layout, { responsive: true, displayModeBar: false });
    });
  }

  draw();
  new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
})();
