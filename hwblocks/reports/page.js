// What a report does when it is read: charts, sorting and filtering, and layers that are chosen everywhere at once.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const figures = JSON.parse(document.getElementById("figures").textContent);

// ---- tables: a heading sorts by value, the box keeps rows that contain its text ----

function sortValue(cell) {
  const value = cell.dataset.v;
  return value === undefined ? cell.textContent : value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value);
}

function compare(a, b) {
  const empty = (v) => v === "" || Number.isNaN(v);
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : Number(a > b);
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(heading) {
  const table = heading.closest("table"), body = table.tBodies[0];
  const place = [...heading.parentNode.children].indexOf(heading);
  const number = heading.classList.contains("number");
  const before = heading.getAttribute("aria-sort");
  const order = before ? (before === "ascending" ? "descending" : "ascending") : number ? "descending" : "ascending";
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", order);
  const rows = [...body.rows].map((row) => [sortValue(row.cells[place]), row]);
  const empty = ([value]) => value === "" || Number.isNaN(value);
  rows.sort((a, b) => (empty(a) || empty(b) || order === "ascending" ? compare(a[0], b[0]) : compare(b[0], a[0])));
  body.append(...rows.map(([, row]) => row));
}

function filter(box) {
  const wanted = box.value.toLowerCase();
  for (const row of box.closest(".table").querySelector("tbody").rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}

// ---- layers: what stands for one of them carries its name in data-link ----

const drawn = new Set(all(".node").map((node) => node.dataset.link));

function outermost(name) { // of a layer inside a loop the node that is drawn
  for (let part = name; part; part = part.slice(0, Math.max(part.lastIndexOf("/"), 0))) if (drawn.has(part)) return part;
  return name;
}

function choose(name, from) {
  const outer = outermost(name), whole = name === outer;
  all(".chosen").forEach((element) => element.classList.remove("chosen"));
  for (const element of all(".node, tr[data-link]")) {
    const link = element.dataset.link;
    if (link !== name && !(whole ? outermost(link) === outer : element.matches(".node") && link === outer)) continue;
    element.classList.add("chosen");
    const box = element.closest(".scroll, .canvas");
    if (box && from !== element) reveal(box, element);
  }
  for (const chart of all("figure:has(.choose)")) {
    const option = chart !== from && followed(chart, name);
    if (option) show(chart, option.index);
  }
  describe(outer);
}

function reveal(box, element) { // moves the box, never the page
  const inner = element.getBoundingClientRect(), outer = box.getBoundingClientRect();
  if (!inner.height || (inner.top >= outer.top + 30 && inner.bottom <= outer.bottom)) return;
  box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
}

function describe(name) {
  const node = all(".view:not([hidden]) .node").find((one) => one.dataset.link === name);
  const box = document.querySelector(".about");
  if (!node || !box) return;
  const [first, ...rest] = node.querySelector("title").textContent.split("\n");
  const title = Object.assign(document.createElement("h3"), { textContent: first });
  const list = document.createElement("dl");
  for (const line of rest) {
    const at = line.indexOf(": ");
    list.append(Object.assign(document.createElement("dt"), { textContent: line.slice(0, at) }));
    list.append(Object.assign(document.createElement("dd"), { textContent: line.slice(at + 2) }));
  }
  box.replaceChildren(title, list);
}

function walk(event) { // arrow keys in a table or the graph go from layer to layer
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const layers = all("tr[data-link], .node", event.currentTarget).filter((one) => !one.hidden);
  if (!step || !layers.length) return;
  event.preventDefault();
  const chosen = layers.map((one) => one.classList.contains("chosen"));
  const now = step > 0 ? chosen.lastIndexOf(true) : chosen.indexOf(true);
  const next = now < 0 ? 0 : Math.min(Math.max(now + step, 0), layers.length - 1);
  choose(layers[next].dataset.link, null);
}

// ---- the graph: colour by a measure, zoom, drag ----

function colourBy(view, index) {
  for (const node of all(".node", view)) {
    const [text, share] = JSON.parse(node.dataset.measures)[index] || ["", null];
    const value = node.querySelector(".value"), shade = node.querySelector(".shade"), kind = node.querySelector(".kind");
    if (!value) continue;
    value.textContent = text;
    shade.setAttribute("fill-opacity", share === null ? 0 : 0.6 * share);
    const room = Number(node.dataset.room) - text.length, words = node.dataset.kind;
    kind.textContent = words.length <= room ? words : words.slice(0, Math.max(room - 1, 1)) + "…";
  }
  const key = view.querySelector(".key-text");
  if (key) key.textContent = `${key.dataset.low.split("|")[index]} to ${key.dataset.high.split("|")[index]}`;
}

function zoom(how) {
  const canvas = document.querySelector(".view:not([hidden]) .canvas"), svg = canvas.querySelector("svg");
  const [, , wide, tall] = svg.getAttribute("viewBox").split(" ").map(Number);
  const now = svg.clientWidth / wide, fit = Math.min(1, (canvas.clientWidth - 4) / wide);
  const next = how === "fit" ? fit : Math.min(4, Math.max(0.1, now * Number(how)));
  const middle = (canvas.scrollTop + canvas.clientHeight / 2) / (tall * now);
  svg.setAttribute("width", wide * next);
  svg.setAttribute("height", tall * next);
  canvas.scrollTop = middle * tall * next - canvas.clientHeight / 2;
}

function draggable(canvas) {
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) start = [event.clientX, event.clientY, canvas.scrollLeft, canvas.scrollTop];
  });
  window.addEventListener("pointermove", (event) => {
    if (!start) return;
    canvas.classList.add("dragging");
    canvas.scrollLeft = start[2] + start[0] - event.clientX;
    canvas.scrollTop = start[3] + start[1] - event.clientY;
  });
  window.addEventListener("pointerup", () => { start = null; canvas.classList.remove("dragging"); });
}

function hover(node, canvas) { // what the pointer is on is described; away from it, what is chosen
  node.addEventListener("pointerenter", () => describe(node.dataset.link));
  node.addEventListener("pointerleave", () => {
    const chosen = canvas.querySelector(".node.chosen");
    if (chosen) describe(chosen.dataset.link);
  });
}

function fitAside() { // the graph and what is said of a layer end with the window, below the heading as beside the text
  const aside = document.querySelector("aside");
  const wide = getComputedStyle(aside).position === "sticky";
  aside.style.maxHeight = wide ? `${window.innerHeight - Math.max(aside.getBoundingClientRect().top, 13) - 13}px` : "";
}

// ---- charts ----

const settings = { displaylogo: false, displayModeBar: false, responsive: true };

function themed(figure) { // text and grid in the page's colours; the figures bring their own for what they show
  const style = getComputedStyle(document.documentElement);
  const [ink, grid, paper] = ["--ink", "--grid", "--paper"].map((name) => style.getPropertyValue(name).trim());
  const line = { gridcolor: grid, zerolinecolor: grid, linecolor: grid };
  const layout = structuredClone(figure.layout);
  Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, family: "system-ui, sans-serif", size: 12 } });
  layout.hoverlabel = { bgcolor: paper, bordercolor: grid, font: { color: ink } };
  layout.xaxis = { ...line, ...layout.xaxis };
  layout.yaxis = { ...line, ...layout.yaxis };
  const data = figure.data.map((trace) => (trace.line && trace.line.color === "ink" ? { ...trace, line: { ...trace.line, color: ink } } : trace));
  return [data, layout];
}

async function draw(chart) {
  const stored = figures[chart.id], index = Number(chart.querySelector(".choose select")?.value || 0);
  const figure = Array.isArray(stored) ? stored[index] : stored;
  const plot = chart.querySelector(".plot"), note = chart.querySelector(".note");
  if (note) note.textContent = figure.note || "";
  await Plotly.react(plot, ...themed(figure), settings);
  if (plot.dataset.listening) return;
  plot.dataset.listening = "yes";
  plot.on("plotly_click", (event) => {
    const point = event.points[0], layers = point.data.meta || [];
    const at = point.data.type === "heatmap" ? point.pointIndex[point.data.z.length === layers.length ? 0 : 1] : point.pointIndex;
    if (layers[at]) choose(layers[at], chart);
  });
}

function show(chart, index) {
  const select = chart.querySelector(".choose select");
  if (select.selectedIndex === index && chart.dataset.shown === String(index)) return;
  select.selectedIndex = index;
  chart.dataset.shown = index;
  if (chart.classList.contains("pictures")) all(".item", chart).forEach((item, i) => { item.hidden = i !== index; });
  else if (window.Plotly) draw(chart);
}

function followed(chart, name) { // among several charts of one layer the one like the shown one: the same sample
  const select = chart.querySelector(".choose select");
  const same = [...select.options].filter((option) => option.dataset.link === name);
  const sample = (text) => text.slice(0, text.indexOf(": ") + 1);
  return same.find((option) => sample(option.textContent) === sample(select.selectedOptions[0].textContent)) || same[0];
}

async function loadLibrary() {
  const packed = document.getElementById("plotly");
  if (!packed) return typeof Plotly !== "undefined";
  if (typeof DecompressionStream === "undefined") return false;
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const code = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const script = document.createElement("script");
  script.textContent = code;
  document.head.append(script);
  return typeof Plotly !== "undefined";
}

function drawAll() { return Promise.all(all(".chart.plotly").map(draw)); }

async function start() {
  all("th button").forEach((button) => button.addEventListener("click", () => sortBy(button.parentNode)));
  all("input[type=search]").forEach((box) => box.addEventListener("input", () => filter(box)));
  all("button.empty").forEach((button) => button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", button.closest(".table").classList.toggle("all"));
  }));
  all("tr[data-link], .node").forEach((element) => element.addEventListener("click", () => choose(element.dataset.link, element)));
  all(".scroll, .canvas").forEach((box) => box.addEventListener("keydown", walk));
  all(".choose").forEach((box) => {
    const chart = box.closest("figure"), select = box.querySelector("select");
    chart.dataset.shown = select.selectedIndex;
    const pick = (index) => { show(chart, index); choose(select.options[index].dataset.link, chart); };
    select.addEventListener("change", () => { delete chart.dataset.shown; pick(select.selectedIndex); });
    all("button", box).forEach((button) => button.addEventListener("click", () => {
      const count = select.options.length;
      pick((select.selectedIndex + Number(button.dataset.step) + count) % count);
    }));
  });
  all(".view").forEach((view) => {
    const select = view.querySelector(".measures");
    if (select) { select.addEventListener("change", () => colourBy(view, Number(select.value))); colourBy(view, 0); }
    const canvas = view.querySelector(".canvas");
    draggable(canvas);
    all(".node", canvas).forEach((node) => hover(node, canvas));
  });
  document.querySelector(".models")?.addEventListener("change", (event) => {
    all(".view").forEach((view, index) => { view.hidden = index !== event.target.selectedIndex; });
    zoom("fit");
  });
  all("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(button.dataset.zoom)));
  if (document.querySelector(".canvas")) {
    zoom("fit");
    fitAside();
    window.addEventListener("scroll", fitAside, { passive: true });
    window.addEventListener("resize", fitAside);
  }
  if (!all(".chart.plotly").length) return;
  if (!(await loadLibrary())) {
    all(".plot").forEach((plot) => { plot.style.minHeight = 0; plot.textContent = "This browser cannot draw the chart; its numbers are in the tables."; });
    return;
  }
  await drawAll();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.matchMedia("print").addEventListener("change", drawAll);
}

start().finally(() => { document.documentElement.dataset.ready = "yes"; });
