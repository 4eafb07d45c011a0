// Put together: the theme, what is looked at, and every part; `atollReport` is for who wants the numbers in the console.
function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `${theme === "dark" ? "Light" : "Dark"} colours`);
  themeWatchers.forEach((watcher) => watcher());
}

applyTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
byId("theme").addEventListener("click", () => applyTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
byId("island").replaceChildren(...doc.islands.map((island) => make("option", { value: island.name }, island.name)));
byId("island").addEventListener("change", () => lookAt(byId("island").value));
startTables();
startCreatures();
startCurves();
startMigration();
startAncestry();
startTimeline();
const ranked = doc.islands.filter((island) => island.champion).sort((a, b) => b.champion.fitness - a.champion.fitness);
const firstIsland = ranked.find((island) => island.champion.walks) ?? ranked[0] ?? doc.islands[0];
if (firstIsland) lookAt(firstIsland.name);
window.atollReport = { document: doc, unpack, seek, play, player };
document.documentElement.dataset.ready = "yes";
