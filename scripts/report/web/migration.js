// Who gave to whom: islands in a circle, a line for each pair, and a time that can be dragged.
const [SECONDS, TAKER, GIVER, GENERATION_THERE, GENERATION_HERE, FITNESS, LED] = [0, 1, 2, 3, 4, 5, 6];
const MAX_LINES = 400, STEPS = 200;

function startMigration() {
  const target = byId("migration-map"), slider = byId("migration-time");
  const times = doc.arrivals.map((arrival) => arrival[SECONDS]).filter((seconds) => seconds > 0);
  const began = doc.islands.flatMap((island) => island.lives.map((life) => life.began_s)).filter((seconds) => seconds > 0);
  if (!doc.arrivals.length) {
    target.replaceChildren(make("p", { class: "about" }, "No genome has been taken in yet."));
    byId("migration").querySelector(".transport").hidden = true;
    byId("migration").querySelector("details").hidden = true;
    return;
  }
  const last = Math.max(...times, 1), first = Math.min(...began, ...times, last), state = { isPlaying: false, timer: 0 };
  const draw = () => {
    const now = first + ((last - first) * slider.value) / STEPS;
    drawMap(target, now, (last - first) / 12);
    const passed = `${span(now - first)} after the start`;
    byId("migration-clock").value = passed;
    slider.setAttribute("aria-valuetext", passed);
    byId("migration-words").textContent = words(now);
  };
  slider.addEventListener("input", () => { state.isPlaying = false; press(); draw(); });
  const press = () => { byId("migration-play").textContent = state.isPlaying ? "Pause" : "Play"; };
  const step = () => {
    if (!state.isPlaying) return;
    slider.value = Number(slider.value) + 1;
    draw();
    if (Number(slider.value) >= STEPS) { state.isPlaying = false; press(); } else state.timer = setTimeout(step, 60);
  };
  byId("migration-play").addEventListener("click", () => {
    state.isPlaying = !state.isPlaying;
    clearTimeout(state.timer);
    if (state.isPlaying && Number(slider.value) >= STEPS) slider.value = 0;
    press();
    step();
  });
  watchIsland(draw);
  themeWatchers.push(draw);
  migrationTable();
}

// Sums up to a time, by pair: how many genomes, and when the last one came.
function passages(now) {
  const pairs = new Map();
  for (const arrival of doc.arrivals) {
    if (arrival[SECONDS] > now + 1e-6) break;
    const key = `${arrival[GIVER]}\n${arrival[TAKER]}`, pair = pairs.get(key) ?? { giver: arrival[GIVER], taker: arrival[TAKER], n: 0, last: 0, led: 0 };
    pair.n += 1;
    pair.led += arrival[LED];
    pair.last = arrival[SECONDS];
    pairs.set(key, pair);
  }
  return [...pairs.values()];
}

function drawMap(target, now, fresh) {
  const isMany = doc.givers.length > 24; // their names stand like spokes, or they would lie on one another
  const size = 420, middle = size / 2, radius = isMany ? 180 : 150;
  const place = new Map(doc.givers.map((name, i) => {
    const angle = (2 * Math.PI * i) / doc.givers.length - Math.PI / 2;
    return [name, [middle + radius * Math.cos(angle), middle + radius * Math.sin(angle), angle]];
  }));
  const all = passages(now), most = Math.max(...all.map((pair) => pair.n), 1);
  const shown = all.sort((a, b) => a.last - b.last).slice(-MAX_LINES);
  const lines = shown.flatMap((pair) => {
    const [x1, y1] = place.get(pair.giver), [x2, y2] = place.get(pair.taker);
    const age = Math.min((now - pair.last) / Math.max(fresh, 1e-9), 1), isLooked = looked.island === pair.giver || looked.island === pair.taker;
    // Towards the middle, and a little to one side of the way, so that those who give to each other have a line each.
    const [cx, cy] = [middle + (x1 + x2 - 2 * middle) * 0.18 + (y2 - y1) * 0.12, middle + (y1 + y2 - 2 * middle) * 0.18 - (x2 - x1) * 0.12];
    const width = 0.8 + (4 * pair.n) / most;
    const opacity = isLooked ? 0.45 + (1 - age) * 0.5 : 0.06 + (1 - age) * 0.3;
    const path = make("path", { d: `M${x1} ${y1}Q${cx} ${cy} ${x2} ${y2}`, fill: "none", stroke: colour(pair.giver), "stroke-width": width.toFixed(2), "stroke-opacity": opacity.toFixed(3) },
      make("title", {}, `${pair.giver} gave ${plural(pair.n, "genome")} to ${pair.taker}`));
    const [ex, ey] = [x2 + (cx - x2) * 0.13, y2 + (cy - y2) * 0.13];
    return [path, make("circle", { cx: ex, cy: ey, r: 1.8 + 0.7 * width, fill: colour(pair.giver), "fill-opacity": opacity.toFixed(3) })];
  });
  const step = Math.ceil(doc.givers.length / 40);
  const dots = doc.givers.flatMap((name, i) => {
    const [px, py, angle] = place.get(name), isRight = Math.cos(angle) >= 0, isLooked = name === looked.island;
    const dot = make("circle", { cx: px, cy: py, r: isLooked ? 9 : 6, fill: colour(name), stroke: isLooked ? style("--ink") : "none", "stroke-width": 2 }, make("title", {}, name));
    dot.addEventListener("click", () => lookAt(name));
    if (i % step && !isLooked) return [dot];
    const short = name.length > 13 ? `${name.slice(0, 12)}…` : name;
    const spoke = (angle * 180) / Math.PI + (isRight ? 0 : 180);
    if (isMany) return [dot, make("text", { x: px + (isRight ? 12 : -12), y: py + 4, transform: `rotate(${spoke} ${px} ${py})`, "text-anchor": isRight ? "start" : "end", "font-weight": isLooked ? "bold" : "normal" }, short)];
    return [dot, make("text", { x: px + (isRight ? 12 : -12) * Math.max(Math.abs(Math.cos(angle)), 0.3), y: py + 4 + 12 * Math.sin(angle), "text-anchor": Math.abs(Math.cos(angle)) < 0.2 ? "middle" : isRight ? "start" : "end", "font-weight": isLooked ? "bold" : "normal" }, short)];
  });
  const svg = make("svg", { viewBox: isMany ? `-115 -115 ${size + 230} ${size + 230}` : `-60 -10 ${size + 120} ${size + 20}`, role: "img", "aria-label": `Migration: ${words(now)}` }, ...lines, ...dots);
  svg.dataset.lines = String(shown.length);
  target.replaceChildren(svg);
}

function words(now) {
  const all = passages(now), total = all.reduce((n, pair) => n + pair.n, 0), led = all.reduce((n, pair) => n + pair.led, 0);
  const most = all.reduce((best, pair) => (pair.n > (best?.n ?? 0) ? pair : best), null);
  const island = looked.island, gave = all.filter((pair) => pair.giver === island), took = all.filter((pair) => pair.taker === island);
  const sum = (pairs) => pairs.reduce((n, pair) => n + pair.n, 0);
  return `${plural(total, "genome")} taken in by then, of which ${led} were better than all who lived where they came to` +
    (most ? `; most, ${most.n}, from ${most.giver} to ${most.taker}` : "") + `. ${island} gave ${sum(gave)} and took ${sum(took)}.`;
}

function migrationTable() {
  const pairs = new Map(passages(Infinity).map((pair) => [`${pair.giver}\n${pair.taker}`, pair.n]));
  const takers = doc.islands.map((island) => island.name);
  table(byId("migration-table"), {
    caption: "Genomes taken in over the whole run: rows gave, columns took",
    head: ["gave", ...takers, "sum"],
    rows: doc.givers.map((giver) => {
      const cells = takers.map((taker) => pairs.get(`${giver}\n${taker}`) ?? 0);
      return [giver, ...cells, cells.reduce((n, cell) => n + cell, 0)];
    }),
  });
}
