// A bar per process and island: when it started, where it ended, and how.
const ENDS = { killed: "killed", stopped: "stopped", finished: "finished", running: "running", waiting: "running", elsewhere: "on another host", silent: "silent" };

function startTimeline() {
  const times = doc.islands.flatMap((island) => island.lives.flatMap((life) => [life.began_s, life.ended_s])).filter((time) => isNumber(time) && time > 0);
  timelineTable();
  if (!times.length) { byId("timeline-chart").replaceChildren(make("p", { class: "about" }, "No island has started yet.")); return; }
  const first = Math.min(...times), last = Math.max(...times, first + 1), target = byId("timeline-chart");
  let drawn = 0;
  const draw = (width) => { drawn = width; target.replaceChildren(timeline(width, first, last)); };
  onWidth(target, draw);
  const redraw = () => { if (drawn) draw(drawn); };
  watchIsland(redraw);
  themeWatchers.push(redraw);
}

function timeline(width, first, last) {
  const left = Math.min(130, width * 0.28), right = 14, row = doc.islands.length > 60 ? 12 : 20, height = row * doc.islands.length + 30;
  const across = (time) => left + ((time - first) / (last - first)) * (width - left - right);
  const marks = doc.islands.flatMap((island, i) => {
    const y = row * i + 4, isLooked = island.name === looked.island;
    const short = island.name.length > 18 ? `${island.name.slice(0, 17)}…` : island.name;
    const bars = island.lives.filter((life) => isNumber(life.began_s)).flatMap((life) => {
      const [from, to] = [across(life.began_s), across(life.ended_s ?? life.began_s)];
      const bar = make("rect", { x: from, y, width: Math.max(to - from, 2), height: row - 7, rx: 2, fill: colour(island.name), "fill-opacity": isLooked ? 1 : 0.75 }, make("title", {}, lifeInWords(island, life)));
      return life.ending === "killed" || life.ending === "stopped" ? [bar, cross(to, y + (row - 7) / 2, life.ending)] : [bar];
    });
    return [make("text", { x: 0, y: y + row - 9, "font-weight": isLooked ? "bold" : "normal" }, short), ...bars];
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => make("text", { x: across(first + share * (last - first)), y: height - 6, class: "quiet", "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, span(share * (last - first))));
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Timeline: ${storyInWords()}` }, ...marks, ...ticks);
  svg.dataset.bars = String(doc.islands.reduce((n, island) => n + island.lives.length, 0));
  return svg;
}

// A cross where a process was killed, a bar where it stopped and nothing was lost: shapes, since colours are islands.
function cross(px, py, ending) {
  const d = ending === "killed" ? `M${px - 4} ${py - 4}l8 8m0 -8l-8 8` : `M${px} ${py - 6}v12`;
  return make("path", { d, stroke: style("--bad"), "stroke-width": 2.5, fill: "none" }, make("title", {}, ending));
}

function lifeInWords(island, life) {
  const end = life.last === null ? "logged no generation" : `reached generation ${life.last}`;
  const lost = life.lost ? `; ${plural(life.lost, "generation")} lived again` : "";
  return `${island.name}, start ${life.epoch}: from generation ${life.generation}, ${end}, ${ENDS[life.ending] ?? life.ending}${lost}`;
}

function storyInWords() {
  const lives = doc.islands.flatMap((island) => island.lives), killed = lives.filter((life) => life.ending === "killed");
  return `${plural(lives.length, "start")} of ${plural(doc.islands.length, "island")}, ${killed.length} ended by a kill, ${killed.reduce((n, life) => n + life.lost, 0)} generations lived again`;
}

function timelineTable() {
  table(byId("timeline-table"), {
    caption: "Every start of every island; times in UTC, by each host's own clock",
    head: ["island", "start", "from generation", "to generation", "began", "last logged", "ended", "lived again", "host"],
    rows: doc.islands.flatMap((island) => island.lives.map((life) => [island.name, life.epoch, life.generation, life.last ?? "–", clockTime(life.began_s), clockTime(life.ended_s), ENDS[life.ending] ?? life.ending, life.lost, life.host])),
  });
}
