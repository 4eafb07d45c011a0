// Which creatures are on the stage, and the time in their lives: play, pause, scrub, step.
const walkers = doc.islands.filter((island) => island.champion?.walks?.length).sort((a, b) => b.champion.fitness - a.champion.fitness);
const player = { stage: null, films: [], frame: 0, nFrames: 0, frameS: 1 / 30, isPlaying: false, startedMs: 0, from: 0, turn: 0, request: 0 };
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
const courseWords = { trained: "trained course", unseen: "unseen course" };
const MAX_BESIDE = 8;

// What is on the stage: walks of one island or of several, each on one course.
function scenes() {
  const island = walkers.find((each) => each.name === looked.island) ?? walkers[0], course = chosen("course");
  const walks = island.champion.walks, last = walks[walks.length - 1];
  const name = (walk, of) => `gen ${walk.generation}: ${show(walk[of].fitness)}`;
  if (chosen("view") === "generations") return walks.map((walk) => ({ packed: walk[course], label: name(walk, course) }));
  if (chosen("view") === "courses")
    return ["trained", "unseen"].map((each) => ({ packed: last[each], label: `${courseWords[each]}: ${show(last[each].fitness)}` }));
  if (chosen("view") === "islands") {
    return [island, ...walkers.filter((each) => each !== island)].slice(0, MAX_BESIDE).map((each) => {
      const walk = each.champion.walks[each.champion.walks.length - 1];
      return { packed: walk[course], label: `${each.name}: ${show(walk[course].fitness)}` };
    });
  }
  return [{ packed: last[course], label: `${island.name}, ${name(last, course)}` }];
}

async function cast() {
  if (!player.stage) return;
  const turn = ++player.turn, wanted = scenes();
  const films = await Promise.all(wanted.map(({ packed }) => unpack(packed))).catch(() => []);
  if (turn !== player.turn) return; // something else was chosen meanwhile
  if (!films.length) {
    player.isPlaying = false;
    nothingToShow("The walks in this page are damaged, so they are not drawn. Write the report anew.");
    return;
  }
  player.films = films;
  player.stage.set(wanted.map(({ label }, i) => ({ film: films[i], label })));
  player.frameS = films[0].frame_s;
  player.nFrames = Math.max(...films.map((film) => film.n_frames));
  byId("scrub").max = player.nFrames - 1;
  player.stage.follow(byId("follow").checked);
  seek(Math.min(player.frame, player.nFrames - 1));
  if (player.isPlaying) play(true);
  document.documentElement.dataset.cast = String(turn);
}

function seek(frame) {
  player.frame = Math.min(Math.max(frame, 0), player.nFrames - 1);
  player.stage.seek(player.frame);
  const time = ((player.frame + 1) * player.frameS).toFixed(1);
  byId("scrub").value = player.frame;
  byId("scrub").setAttribute("aria-valuetext", `${time} seconds`);
  byId("clock").value = `${time} s`;
}

function play(isPlaying) {
  player.isPlaying = isPlaying;
  byId("play").textContent = isPlaying ? "Pause" : "Play";
  if (!isPlaying) { tell(); return; }
  if (player.frame >= player.nFrames - 1) seek(0);
  player.startedMs = performance.now();
  player.from = player.frame;
  cancelAnimationFrame(player.request); // it may be playing already
  player.request = requestAnimationFrame(advance);
}

function advance(nowMs) {
  if (!player.isPlaying) return;
  const passed = (Math.max(nowMs - player.startedMs, 0) / 1000) * Number(byId("speed").value);
  const frame = player.from + Math.floor(passed / player.frameS);
  if (frame !== player.frame) seek(frame % player.nFrames);
  if (frame >= player.nFrames) { player.startedMs = nowMs; player.from = 0; }
  player.request = requestAnimationFrame(advance);
}

// What the picture shows now, for who does not see it; said when it stands still.
function tell() {
  const said = player.films.map((film, i) => {
    const frame = Math.min(player.frame, film.n_frames - 1), back = Math.max(frame - Math.round(1 / film.frame_s), 0);
    const way = [0, 2].map((axis) => film.centre_m[3 * frame + axis] - film.centre_m[3 * back + axis]);
    const speed = Math.hypot(...way) / Math.max((frame - back) * film.frame_s, film.frame_s);
    return `${player.stage.views[i].label}: ${plural(takenBy(film, frame), "pellet")} taken, ${speed.toFixed(1)} metres per second`;
  });
  byId("creature-frame").textContent = `At ${byId("clock").value}. ${said.join("; ")}.`;
}

function describe() {
  const island = islandNamed.get(looked.island), isStaged = !walkers.length || walkers.includes(island);
  byId("creature-words").textContent = championInWords(island) + (isStaged ? "" : ` The picture shows the best, ${walkers[0].name}'s.`);
}

function championInWords({ name, champion }) {
  if (!champion) return `${name} has no champion yet.`;
  const score = `${name}'s champion, of generation ${champion.generation}, scored ${show(champion.fitness, 6)}.`;
  if (!champion.moves) return walkers.length ? `${score} It was not simulated again for this page, so nothing here says how it moves.` : score;
  const check = champion.is_confirmed ? "Simulated again for this page it scores exactly the same." :
    `Simulated again for this page it scores ${show(champion.simulated, 6)}, which is not the same: do not trust it.`;
  return `${score} ${check} It has ${champion.body}. It ${champion.moves}. Controller: ${champion.controller}.`;
}

function nothingToShow(reason) {
  byId("stage").classList.add("short");
  byId("canvas").hidden = true;
  byId("stage-none").hidden = false;
  byId("stage-none").textContent = reason;
  for (const id of ["stage-controls", "transport", "stage-keys"]) byId(id).hidden = true;
  byId("creatures").querySelector(".scale").hidden = true;
}

function keys(event) {
  const turns = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.08], ArrowDown: [0, 0.08] };
  const zooms = { "+": 0.87, "=": 0.87, "-": 1.15 }, steps = { ",": -1, ".": 1 };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (turns[event.key]) player.stage.orbit(...turns[event.key]);
  else if (zooms[event.key]) player.stage.zoom(zooms[event.key]);
  else if (steps[event.key]) { play(false); seek(player.frame + steps[event.key]); tell(); }
  else if (event.key === " ") play(!player.isPlaying);
  else return;
  event.preventDefault();
}

function startCreatures() {
  watchIsland(describe);
  byId("creatures-about").textContent = walkers.length ?
    `Each is simulated anew, and what is drawn is what the evaluator lived through: ${Math.round(1 / walkers[0].champion.walks[0].trained.frame_s)} of its steps a second, no place off by more than ` +
    `${(500 * Math.max(...walkers.flatMap((w) => w.champion.walks.flatMap((k) => [k.trained.quantum_m, k.unseen.quantum_m])))).toFixed(1)} mm. ` +
    "The unseen course is one that no creature was ever trained on." : "";
  if (!walkers.length) { nothingToShow(doc.run.task && doc.run.task !== "creatures" ? "This task has no bodies to show." : "No champion is there yet to be shown."); return; }
  try {
    player.stage = new Stage(byId("canvas"), byId("labels"));
  } catch (error) {
    console.info(String(error));
    nothingToShow("This browser has no WebGL, so the creatures cannot be drawn; the words below and the table of islands tell of them.");
    return;
  }
  watchIsland(cast);
  themeWatchers.push(() => { player.stage.views.forEach((view) => view.paint()); player.stage.draw(); });
  document.querySelectorAll('input[name="view"], input[name="course"]').forEach((input) => input.addEventListener("change", cast));
  byId("play").addEventListener("click", () => play(!player.isPlaying));
  byId("scrub").addEventListener("input", () => { play(false); seek(Number(byId("scrub").value)); });
  byId("scrub").addEventListener("change", tell);
  byId("speed").addEventListener("change", () => { if (player.isPlaying) play(true); });
  byId("follow").addEventListener("change", () => player.stage.follow(byId("follow").checked));
  byId("canvas").addEventListener("keydown", keys);
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let wasPlaying = !isCalm;
  new IntersectionObserver(([entry]) => { // who does not see it need not wait for it
    if (entry.isIntersecting && wasPlaying) { wasPlaying = false; if (player.nFrames) play(true); else player.isPlaying = true; }
    else if (!entry.isIntersecting && player.isPlaying) { wasPlaying = true; play(false); }
  }).observe(byId("stage"));
}
