"use strict";

// Light or dark: the system's choice until the reader makes one, which is remembered where the
// browser allows that to files.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const show = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  try {
    const chosen = localStorage.getItem("compare_gan theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch { /* Nothing is remembered. */ }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("compare_gan theme", root.dataset.theme); } catch { /* As above. */ }
    show();
  });
  prefersDark.addEventListener("change", show);
  button.hidden = false;
  show();
})();

// Tables: rows by the keys of a column's cells; those without a key come last either way.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const each of heads) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const isNumeric = head.classList.contains("number");
    const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column].dataset.key, row]);
    rows.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (isNumeric ? toNumber(a) - toNumber(b) : compare(a, b));
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}

function toNumber(text) {
  return Number(text.replace("inf", "Infinity"));
}

// Charts: a legend's entry hides and shows its series.
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", isShown);
    const figure = button.closest("figure");
    figure.querySelector(`[data-series="${button.dataset.for}"]`).classList.toggle("off", !isShown);
  });
}

// Curves: the pointer or the arrow keys read values, which are those of the CSV.
for (const svg of document.querySelectorAll("svg[data-axis]")) {
  const [low, high, start, end, isLog] = svg.dataset.axis.split(" ").map(Number);
  const scale = isLog ? Math.log : (x) => x;
  const place = (x) => start + (scale(x) - scale(low)) / (scale(high) - scale(low)) * (end - start);
  const figure = svg.closest("figure");
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.setAttribute("aria-live", "polite");
  figure.append(readout);
  svg.parentElement.tabIndex = 0;
  svg.parentElement.setAttribute("role", "group");
  svg.parentElement.setAttribute("aria-label", "Arrow keys read values");
  let series = null;
  let xs = [];
  let at = -1;

  const load = () => {
    if (series) return;
    series = new Map();
    for (const [name, x, value] of rowsOf(figure.querySelector("a.csv").href)) {
      if (!series.has(name)) series.set(name, []);
      if (value !== "") series.get(name).push([Number(x), Number(value)]);
    }
    xs = [...new Set([...series.values()].flat().map(([x]) => x))].sort((a, b) => a - b);
  };
  const show = (index) => {
    if (!xs.length) return;
    at = Math.max(0, Math.min(xs.length - 1, index));
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", place(xs[at]));
    cursor.setAttribute("x2", place(xs[at]));
    cursor.setAttribute("visibility", "visible");
    const shown = [];
    for (const [name, points] of series) {
      const found = points.find(([x]) => x === xs[at]);
      if (found) shown.push(`${name} ${Number(found[1].toPrecision(4))}`);
    }
    readout.textContent = `${xs[at].toLocaleString("en")}: ${shown.join(" · ")}`;
  };
  svg.addEventListener("pointermove", (event) => {
    load();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let nearest = 0;
    xs.forEach((x, i) => {
      if (Math.abs(place(x) - point.x) < Math.abs(place(xs[nearest]) - point.x)) nearest = i;
    });
    show(nearest);
  });
  svg.parentElement.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: Infinity };
    if (!(event.key in moves)) return;
    load();
    show(moves[event.key]);
    event.preventDefault();
  });
}

function rowsOf(uri) {
  const text = decodeURIComponent(uri.slice(uri.indexOf(",") + 1));
  const cells = [...text.matchAll(/("(?:[^"]|"")*"|[^,\n]*)(,|\n|$)/g)];
  const rows = [[]];
  for (const [, cell, after] of cells) {
    rows.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (after === "\n") rows.push([]);
  }
  return rows.slice(1).filter((row) => row.length > 2);
}

// Frames: the slider chooses one, the button plays them all.
for (const figure of document.querySelectorAll("figure.evolution")) {
  const slider = figure.querySelector("input");
  const frame = figure.querySelector(".frame");
  const button = figure.querySelector("button");
  const names = slider.dataset.names.split("\n");
  let timer = null;
  const show = () => {
    const columns = Number(frame.style.getPropertyValue("--columns"));
    frame.style.setProperty("--column", slider.value % columns);
    frame.style.setProperty("--line", Math.floor(slider.value / columns));
    figure.querySelector("output").textContent = names[slider.value];
    slider.setAttribute("aria-valuetext", names[slider.value]);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => {
    if (timer) { stop(); return; }
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Pause";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (slider.value === slider.max) stop();
    }, Math.max(80, 4000 / names.length));
  });
}
