/* What tests ask of a page of the site. Every function returns a list of complaints. */
(() => {
  const TOLERANCE = 5; // px: the padding of code at the end of a line

  function described(element) {
    const name = element.className && typeof element.className === "string" ? `.${element.className.split(" ")[0]}` : "";
    return `${element.tagName.toLowerCase()}${name} "${element.textContent.trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  }

  /* Whether an element scrolls sideways or is in a box that does, which is in the window itself. */
  function scrolls(element, article) {
    const width = document.documentElement.clientWidth + TOLERANCE;
    for (let box = element; box && box !== article; box = box.parentElement) {
      /* the theme lets code and tables fill a phone's margins, by a box around the one that scrolls */
      const does = ["auto", "scroll"].includes(getComputedStyle(box).overflowX) || box.matches(".highlight");
      if (does && box.getBoundingClientRect().right <= width) return true;
    }
    return false;
  }

  /* Whatever leaves the window, and whatever leaves its column without a box of its own that scrolls. */
  function overflow() {
    const root = document.documentElement;
    const article = document.querySelector("article");
    const found = [];
    if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth - root.clientWidth} px too wide`);
    const edge = article.getBoundingClientRect().right + TOLERANCE;
    for (const element of article.querySelectorAll("*")) {
      const { width, right } = element.getBoundingClientRect();
      if (width === 0 || right <= edge || scrolls(element, article)) continue;
      found.push(`${described(element)} leaves its column by ${Math.round(right - edge)} px`);
    }
    return found;
  }

  function emptyHeads() {
    return [...document.querySelectorAll("article th")]
      .filter((head) => head.textContent.trim() === "")
      .map((head) => `an empty head in ${described(head.closest("table"))}`);
  }

  function parsed(colour) {
    const canvas = (parsed.canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [red, green, blue], alpha: alpha / 255 };
  }

  function over(top, below) {
    return top.rgb.map((value, index) => value * top.alpha + below[index] * (1 - top.alpha));
  }

  function background(element) {
    const layers = [];
    for (let box = element; box; box = box.parentElement) layers.push(parsed(getComputedStyle(box).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  }

  function luminance(rgb) {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(colour, element) {
    const ground = background(element);
    const pair = [luminance(over(parsed(colour), ground)), luminance(ground)].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  }

  /* Text of less contrast than WCAG's level AA asks for: 4.5, and 3 for large text. */
  function faint() {
    const found = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.textContent.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
      if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
      if (element.getBoundingClientRect().width === 0) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const reached = contrast(element instanceof SVGElement ? style.fill : style.color, element);
      if (reached < (large ? 3 : 4.5)) {
        const words = `contrast ${reached.toFixed(2)} of ${style.color}`;
        if (!found.has(words)) found.set(words, `${described(element)}: ${words}`);
      }
    }
    return [...found.values()];
  }

  /* Lines and marks of figures of less contrast than 3. */
  function faintFigures() {
    const marks = [...document.querySelectorAll(".figure .scatterlayer .point, .figure .scatterlayer .js-line")];
    return marks
      .filter((mark) => Number(getComputedStyle(mark).opacity) === 1)
      .map((mark) => [mark, getComputedStyle(mark)])
      .map(([mark, style]) => [mark, style.fill === "none" ? style.stroke : style.fill])
      .filter(([mark, colour]) => contrast(colour, mark) < 3)
      .map(([mark, colour]) => `${colour} has a contrast of ${contrast(colour, mark).toFixed(2)}`);
  }

  /* Shows what another page has below its head, and has the theme's script and that of figures do to it what they do
     to a page that was loaded. */
  async function to([text, address]) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const base = document.querySelector("base") ?? document.head.appendChild(document.createElement("base"));
    base.href = address;
    document.querySelectorAll(".js-plotly-plot").forEach((figure) => Plotly.purge(figure));
    document.querySelector(".md-container").replaceWith(next.querySelector(".md-container"));
    window.document$.next(document);
    for (const still of document.querySelectorAll("article script[src$='figures.js']")) {
      const script = Object.assign(document.createElement("script"), { src: still.src });
      const loaded = new Promise((done) => script.addEventListener("load", done));
      still.replaceWith(script);
      await loaded;
    }
  }

  window.turned = { to };
  window.asked = { overflow, emptyHeads, faint, faintFigures };
})();
