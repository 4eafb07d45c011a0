// Figures, notes and tables: the story in numbers, for who does not look at pictures.
function startTables() {
  const champions = doc.islands.filter((island) => island.champion);
  const best = champions.reduce((top, island) => (island.champion.fitness > (top?.champion.fitness ?? -Infinity) ? island : top), null);
  const reached = doc.islands.map((island) => island.generation).filter(isNumber);
  const starts = doc.islands.reduce((n, island) => n + Math.max(island.lives.length - 1, 0), 0);
  const alive = doc.islands.filter((island) => island.is_alive).length;
  const options = Object.entries(doc.run.options).map(([name, value]) => `${name} ${value}`).join(", ");
  document.title = `${doc.title}: an Atoll archipelago`;
  byId("title").textContent = doc.title;
  byId("subtitle").textContent = [doc.run.task && `task ${doc.run.task}${options ? ` (${options})` : ""}`, doc.run.seed && `seed ${doc.run.seed}`,
    doc.run.backend && `evaluator ${doc.run.backend}`, alive ? `still running: ${alive} of ${doc.islands.length}` : ""].filter(Boolean).join(" · ");
  byId("made").textContent = `Made ${doc.made}${doc.run.run_id ? ` from run ${doc.run.run_id}` : ""}.`;
  const sound = champions.filter((island) => island.champion.audit);
  figures([
    ["islands", doc.islands.length],
    ["generations", reached.length ? (Math.min(...reached) === Math.max(...reached) ? reached[0] : `${Math.min(...reached)} to ${Math.max(...reached)}`) : "–"],
    ["best champion", best ? `${show(best.champion.fitness)} (${best.name})` : "–"],
    ["genomes taken in", doc.islands.reduce((n, island) => n + island.imports, 0)],
    ["of them distinct", doc.islands.reduce((n, island) => n + island.distinct_imports, 0)],
    ["turned away", doc.islands.reduce((n, island) => n + Object.values(island.refusals).reduce((a, b) => a + b, 0), 0)],
    ["restarts", starts],
    ...(sound.length ? [["champions found sound", `${sound.filter((island) => island.champion.audit.is_sound).length} of ${sound.length}`]] : []),
  ]);
  byId("notes").hidden = doc.notes.length === 0;
  byId("notes").replaceChildren(...doc.notes.map((note) => make("li", {}, note)));
  islandsTable();
  teamsTable();
  settingsTables();
}

function figures(pairs) {
  byId("figures").replaceChildren(...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function islandsTable() {
  const withAudit = doc.islands.some((island) => island.champion?.audit);
  const head = ["island", "state", "generation", "champion", "found at", "gave", "took", "distinct", "refused", "restarts"];
  if (withAudit) head.push("walks, m/s", "in the air", "pellets, unseen", "pellets, trained", "fastest node, m/s", "audit", "simulated again");
  const element = table(byId("islands-table"), {
    caption: "Every island, and how its champion moves", head,
    rows: doc.islands.map((island) => {
      const { champion } = island, audit = champion?.audit;
      const button = make("button", { type: "button" }, island.name);
      button.addEventListener("click", () => lookAt(island.name));
      const row = [button, island.state, `${island.generation ?? "–"}/${island.target ?? "?"}`, champion ? show(champion.fitness, 6) : "none yet", champion?.generation ?? "–",
        island.exports, island.imports, island.distinct_imports, Object.values(island.refusals).reduce((a, b) => a + b, 0), Math.max(island.lives.length - 1, 0)];
      if (!withAudit) return row;
      if (!audit) return [...row, "–", "–", "–", "–", "–", "–", "–"];
      return [...row, fixed(audit.speed_m_s, 2), percent(audit.airborne_share), fixed(audit.unseen_pellets, 2), fixed(audit.trained_pellets, 2), fixed(audit.max_node_m_s, 1),
        verdict(audit.is_sound, "sound", "not sound"), verdict(champion.is_confirmed, "the same", `differs: ${show(champion.simulated, 6)}`)];
    }),
  });
  watchIsland((name) => [...element.tBodies[0].rows].forEach((row, i) => row.classList.toggle("chosen", doc.islands[i].name === name)));
}

function teamsTable() {
  byId("teams").hidden = doc.teams.length === 0;
  byId("teams-words").textContent = doc.teams.map((team) => `${team.island}: ${plural(team.n_members, "member")} scored ${plural(team.genomes, "genome")} `
    + `for ${plural(team.requests, "request")} in ${span(team.wall_s)}; ${plural(team.taken_over, "share")} taken over, ${team.checked} checked, `
    + `${team.refused} refused.${team.members.length < team.n_members ? ` The ${team.members.length} that scored most are shown.` : ""}`).join(" ");
  table(byId("teams-table"), {
    caption: "Members, and what each scored and waited",
    head: ["member", "island", "state", "requests", "genomes", "share", "shares", "scored for", "waited for", "taken over", "checked"],
    rows: doc.teams.flatMap((team) => team.members.map((member) => [member.name, team.island, `${member.state ?? "–"}${member.is_owner ? ", owner" : ""}`,
      member.helped, member.genomes, percent(member.genomes / team.genomes), member.shares ?? "–", span(member.evaluate_s), span(member.waited_s),
      member.taken_over ?? "–", member.checked ?? "–"])),
  });
}

const verdict = (isGood, yes, no) => make("td", { class: isGood ? "good" : "bad" }, isGood ? yes : no);

function settingsTables() {
  byId("settings-same").hidden = doc.settings.length > 0;
  byId("settings-table").hidden = doc.settings.length === 0;
  table(byId("settings-table"), {
    caption: "Settings in which islands differ", head: ["island", ...doc.settings.map((setting) => setting.name)],
    rows: doc.islands.map((island, i) => [island.name, ...doc.settings.map((setting) => setting.values[i] || "–")]),
  });
  const shared = [["task", doc.run.task], ["seed", doc.run.seed], ...Object.entries(doc.run.options), ["evaluator", doc.run.backend], ["run", doc.run.run_id], ...doc.shared_settings];
  table(byId("shared-table"), { caption: "What all islands share", head: ["setting", "value"], rows: shared.map(([name, value]) => [name, make("td", { class: "word" }, value || "–")]) });
}
