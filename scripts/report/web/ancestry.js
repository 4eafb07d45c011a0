// From whose founders genes descend: shares over the generations, and the champions' genes one by one.
function startAncestry() {
  const { founders, generations, shares } = doc.ancestry;
  const isThere = founders.map((_, k) => shares.some((rows) => rows[k].some((share) => share > 0)));
  byId("ancestry-key").replaceChildren(...founders.filter((_, k) => isThere[k]).map((name) => {
    const swatch = make("i");
    swatch.style.background = colour(name);
    return make("li", {}, swatch, name);
  }));
  const figures = doc.islands.map((island, i) => {
    const canvas = make("canvas", { role: "img", "aria-label": `Ancestry of ${island.name}: ${inWords(i)}` });
    const figure = make("figure", {}, canvas, make("figcaption", {}, island.name));
    figure.addEventListener("click", () => lookAt(island.name));
    return { figure, canvas, island, i };
  });
  byId("ancestry-charts").replaceChildren(...figures.map(({ figure }) => figure));
  const draw = () => figures.forEach(({ canvas, i }) => { canvas.dataset.points = String(drawShares(canvas, shares[i], generations, founders)); });
  onWidth(byId("ancestry-charts"), draw);
  themeWatchers.push(draw);
  watchIsland(() => figures.forEach(({ figure, island }) => figure.classList.toggle("chosen", island.name === looked.island)));
  onWidth(byId("genes"), drawGenes);
  themeWatchers.push(() => drawGenes(Math.floor(byId("genes").clientWidth)));
  watchIsland(() => drawGenes(Math.floor(byId("genes").clientWidth)));
  ancestryTable();
}

function latest(i) {
  const last = doc.ancestry.generations.map((_, g) => g).filter((g) => doc.ancestry.shares[i].some((row) => row[g] !== null)).at(-1);
  return last === undefined ? [] : doc.ancestry.founders.map((name, k) => [name, (doc.ancestry.shares[i][k][last] ?? 0) / 1e4]);
}

function inWords(i) {
  const found = latest(i).filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
  return found.length ? found.slice(0, 3).map(([name, share]) => `${percent(share)} from ${name}`).join(", ") : "no generation yet";
}

function drawShares(canvas, rows, generations, founders) {
  const width = canvas.clientWidth || 168, height = canvas.clientHeight || 83, context = sharp(canvas, width, height);
  const known = generations.map((_, g) => g).filter((g) => rows.some((row) => row[g] !== null));
  if (!known.length) return 0;
  const [low, high] = [generations[0], Math.max(generations.at(-1), generations[0] + 1)];
  const across = (g) => ((generations[g] - low) / (high - low)) * width;
  const below = new Map(known.map((g) => [g, 0]));
  const right = known.length === 1 ? [width] : [];
  founders.forEach((name, k) => {
    context.beginPath();
    known.forEach((g) => context.lineTo(across(g), height * (1 - below.get(g))));
    right.forEach((place) => context.lineTo(place, height * (1 - below.get(known[0]))));
    known.forEach((g) => below.set(g, below.get(g) + (rows[k][g] ?? 0) / 1e4));
    right.forEach((place) => context.lineTo(place, height * (1 - below.get(known[0]))));
    [...known].reverse().forEach((g) => context.lineTo(across(g), height * (1 - below.get(g))));
    context.closePath();
    context.fillStyle = colour(name);
    context.fill();
  });
  return known.length;
}

function drawGenes(width) {
  const champions = doc.islands.filter((island) => island.champion);
  byId("genes-none").hidden = champions.length > 0;
  if (!champions.length || !width) return;
  const canvas = byId("genes").querySelector("canvas") ?? byId("genes").appendChild(make("canvas", { role: "img" }));
  const row = 17, top = 78, left = Math.min(130, width * 0.28), bottom = 8, height = top + row * champions.length + bottom;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = sharp(canvas, width, height), nGenes = champions[0].champion.genes.length, per = (width - left) / nGenes;
  context.font = "11px system-ui";
  context.fillStyle = style("--ink");
  champions.forEach(({ name, champion }, i) => {
    const y = top + row * i;
    for (const run of champion.genes.matchAll(/(.)\1*/g)) { // genes side by side of one origin
      context.fillStyle = colour(champion.origins[run[1].charCodeAt(0) - 48] ?? OTHERS);
      context.fillRect(left + run.index * per, y, run[0].length * per, row - 3);
    }
    context.fillStyle = name === looked.island ? style("--accent") : style("--ink");
    context.font = name === looked.island ? "bold 11px system-ui" : "11px system-ui";
    context.fillText(name, 0, y + row - 6, left - 8);
  });
  let start = 0, lastPlace = -99;
  for (const [name, size] of doc.run.segments) {
    const place = left + start * per;
    context.fillStyle = style("--paper");
    if (start) context.fillRect(place - 0.5, top, 1, row * champions.length);
    if (place - lastPlace >= 12) { // names of short segments would lie on one another
      context.save();
      context.translate(place + 9, top - 5);
      context.rotate(-Math.PI / 4);
      context.font = "11px system-ui";
      context.fillStyle = style("--soft");
      context.fillText(name, 0, 0);
      context.restore();
      lastPlace = place;
    }
    start += size;
  }
  canvas.dataset.points = String(champions.length * nGenes);
  canvas.setAttribute("aria-label", `Genes of ${plural(champions.length, "champion")} by island of origin; the table below has their shares`);
}

function ancestryTable() {
  table(byId("ancestry-table"), {
    caption: "Share of all genes of each island now, and of its champion's, by island of origin",
    head: ["island", "all genes", "the champion's"],
    rows: doc.islands.map((island, i) => {
      const own = Object.entries(island.champion?.shares ?? {}).map(([name, share]) => `${percent(share)} from ${name}`).join(", ");
      const all = latest(i).filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]).map(([name, share]) => `${percent(share)} from ${name}`).join(", ");
      return [island.name, make("td", { class: "long" }, all || "–"), make("td", { class: "long" }, own || "no champion yet")];
    }),
  });
}
