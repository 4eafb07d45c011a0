// What every part of the page uses: the document, elements made of text only, numbers, colours, and what is looked at.
const doc = JSON.parse(document.getElementById("document").textContent);
const OTHERS = doc.ancestry.founders.at(-1); // all whose share is not shown by itself
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// Texts from files become text nodes and nothing else: no markup in them is ever parsed.
function make(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "g", "path", "circle", "text", "rect", "line", "title"].includes(tag);
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

function table(target, { caption, head, rows }) {
  const element = target.tagName === "TABLE" ? target : make("table");
  const header = make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)));
  const body = rows.map(([first, ...rest]) => {
    const title = make("th", { scope: "row" }, first);
    return make("tr", {}, title, ...rest.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell))));
  });
  element.replaceChildren(make("caption", {}, caption), make("thead", {}, header), make("tbody", {}, ...body));
  if (element !== target) target.replaceChildren(element);
  return element;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const show = (value, digits = 4) => (isNumber(value) ? String(Number(value.toPrecision(digits))) : "–");
const fixed = (value, digits) => (isNumber(value) ? value.toFixed(digits) : "–");
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const percent = (share) => (isNumber(share) ? `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %` : "–");

function clockTime(unixSeconds) {
  return isNumber(unixSeconds) && unixSeconds > 0 ? new Date(1000 * unixSeconds).toISOString().slice(0, 19).replace("T", " ") : "–";
}

function span(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s` : `${(seconds / 3600).toFixed(1)} h`;
}

// The first eight are those of Okabe and Ito, yellow darkened; beyond that no colours can be told apart by everybody, so
// hue and lightness go round, and names, highlighting and tables tell.
const FEW = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89a00", "#8c6d46"];
const colourOf = new Map();
doc.ancestry.founders.concat(doc.givers).forEach((name) => {
  if (name !== OTHERS && !colourOf.has(name)) colourOf.set(name, colourOf.size);
});
function colour(name) {
  if (!colourOf.has(name)) return "#8f979e";
  const i = colourOf.get(name);
  if (colourOf.size <= FEW.length) return FEW[i];
  return `oklch(${[0.58, 0.72, 0.48][i % 3]} 0.13 ${(i * 137.508) % 360})`;
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const islandNamed = new Map(doc.islands.map((island) => [island.name, island]));

// What is looked at, and who wants to know when that changes.
const looked = { island: null, watchers: [] };
function watchIsland(watcher) { looked.watchers.push(watcher); }
function lookAt(name) {
  if (!islandNamed.has(name) || looked.island === name) return;
  looked.island = name;
  byId("island").value = name;
  looked.watchers.forEach((watcher) => watcher(name));
}
const themeWatchers = [];

// A canvas as sharp as the screen; returns its context and its size in CSS pixels.
function sharp(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// Call back at once and whenever an element's width changes.
function onWidth(element, draw) {
  let last = 0;
  new ResizeObserver(() => {
    const width = Math.floor(element.clientWidth);
    if (width && width !== last) { last = width; draw(width); }
  }).observe(element);
}
