"use strict";

/* Draws the figures in the page's colours, again whenever those or the width of the window change. */

(() => {
  const { colours, figures } = JSON.parse(document.getElementById("figures-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const phone = matchMedia("(max-width: 640px)");
  const chosen = {}; // figure to the chosen option of each of its controls
  const plots = document.querySelectorAll("[data-figure]");
  let printing = false;

  function variable(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  /* Exchanges the colours that figures are built with, wherever they stand. */
  function themed(value, theme) {
    if (typeof value === "string") return theme.get(value) ?? value;
    if (Array.isArray(value)) return value.map((item) => themed(item, theme));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, theme)]));
  }

  /* Sets "yaxis.title.text" and the like. */
  function put(object, path, value) {
    const names = path.split(".");
    const last = names.pop();
    for (const name of names) object = object[name] ??= {};
    object[last] = value;
  }

  function apply(patch, figure) {
    for (const [path, value] of Object.entries(patch.layout)) put(figure.layout, path, structuredClone(value));
    for (const [path, values] of Object.entries(patch.data)) {
      values.forEach((value, index) => put(figure.data[index], path, value));
    }
  }

  function dressed(name) {
    const theme = new Map(Object.entries(colours).map(([light, role]) => [light, variable(role)]));
    const figure = themed(figures[name], theme);
    const { page, narrow, controls } = figure.layout.meta;
    apply(page, figure);
    if (phone.matches) apply(narrow, figure);
    controls.forEach((control, index) => apply(control.options[chosen[name][index]].patch, figure));
    const { layout } = figure;
    layout.font.family = getComputedStyle(document.body).fontFamily;
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: variable("surface"), bordercolor: variable("rule") };
    layout.hoverlabel.font = { color: variable("ink"), family: layout.font.family, size: 12 };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: variable("muted"), activecolor: variable("accent") };
    layout.uirevision = "kept"; // what was hidden or zoomed stays so when the colours change
    layout.autosize = true;
    if (printing) layout.width = 660;
    if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // or a figure would trap the scrolling finger
    return figure;
  }

  function config(name) {
    return {
      responsive: true,
      displaylogo: false,
      displayModeBar: phone.matches ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
      toImageButtonOptions: { format: "svg", filename: `trimtab-${name}` },
    };
  }

  function draw(plot) {
    if (typeof Plotly === "undefined") return; // the choice is kept, and drawn when plotly has started
    const name = plot.dataset.figure;
    const { data, layout } = dressed(name);
    Plotly.react(plot, data, layout, config(name));
  }

  function drawAll() {
    plots.forEach(draw);
  }

  function addControls(plot) {
    const name = plot.dataset.figure;
    const { controls } = figures[name].layout.meta;
    const place = plot.parentElement.querySelector(".controls");
    chosen[name] = controls.map(() => 0);
    controls.forEach((control, index) => place.append(buttons(plot, control, index)));
    place.hidden = controls.length === 0;
  }

  function buttons(plot, control, index) {
    const group = document.createElement("fieldset");
    group.className = "control";
    const legend = document.createElement("legend");
    legend.textContent = control.label;
    const choices = document.createElement("span");
    choices.className = "choices";
    control.options.forEach((option, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = option.label;
      button.dataset.choice = option.key;
      button.setAttribute("aria-pressed", String(place === 0));
      button.addEventListener("click", () => {
        chosen[plot.dataset.figure][index] = place;
        [...choices.children].forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        draw(plot);
      });
      choices.append(button);
    });
    group.append(legend, choices);
    return group;
  }

  function onPaper(begins) {
    printing = begins;
    document.documentElement.toggleAttribute("data-paper", begins);
    drawAll();
  }

  /* Plotly takes a second to start. It waits until the text is on the screen, and figures come one by one. */
  function start() {
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    performance.mark("plotly starts");
    document.head.append(script);
    performance.mark("plotly started");
    dark.addEventListener("change", drawAll);
    phone.addEventListener("change", drawAll);
    addEventListener("beforeprint", () => onPaper(true));
    addEventListener("afterprint", () => onPaper(false));
    drawNext([...plots]);
  }

  function drawNext([plot, ...others]) {
    if (!plot) {
      performance.mark("figures drawn");
      dispatchEvent(new Event("figuresdrawn"));
      return;
    }
    draw(plot);
    setTimeout(drawNext, 0, others);
  }

  plots.forEach(addControls);
  addEventListener("DOMContentLoaded", () => setTimeout(start, 30));
})();
