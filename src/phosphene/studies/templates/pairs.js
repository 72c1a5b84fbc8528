"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const KEY = "phosphene-pairs-" + study.page;
  const COLUMNS = ["subject", "order", "photograph", "layer", "depth", "left", "right", "winner", "seconds", "seed", "page"];
  const at = (id) => document.getElementById(id);

  // What this browser keeps: every sitting with its votes, and which of them is going on.
  let kept = { sittings: [], current: null };
  let order = [];      // of the current sitting: what is asked, one entry a pair
  let shownAt = null;  // when the pair could be seen; null while it cannot

  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY) || "null");
      if (found && Array.isArray(found.sittings)) kept = found;
      if (!(kept.current in kept.sittings)) kept.current = null;
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch (error) {
      at("unsaved").hidden = false;
    }
  }

  function save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch (error) {
      at("unsaved").hidden = false;
    }
  }

  const sitting = () => kept.current === null ? null : kept.sittings[kept.current];

  // Mulberry32: small, and the same in every browser, so that the seed tells the whole order.
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(list, next) {
    const out = list.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  // Every photograph and layer once, in random order, with two random conditions on random sides.
  function drawn(seed) {
    const next = random(seed);
    return shuffled(study.sets, next).map((set) => {
      const [left, right] = shuffled(Object.keys(set.images), next);
      return { set, left, right };
    });
  }

  function show(id) {
    for (const main of document.querySelectorAll("main")) main.hidden = main.id !== id;
    window.scrollTo(0, 0);
  }

  function start() {
    show("start");
    at("stored").hidden = !kept.sittings.length;
    at("sittings").replaceChildren(...kept.sittings.map((one, index) => {
      const item = document.createElement("li");
      const whole = one.votes.length >= study.sets.length;
      item.textContent = one.subject + ": " + one.votes.length + " of " + study.sets.length + " ";
      if (!whole) {
        const on = document.createElement("button");
        on.type = "button";
        on.textContent = "Go on";
        on.addEventListener("click", () => { kept.current = index; save(); go(); });
        item.append(on);
      }
      return item;
    }));
  }

  function go() {
    const one = sitting();
    if (!one) return start();
    order = drawn(one.seed);
    if (one.votes.length >= order.length) {
      show("end");
      at("thanks").focus();
    } else {
      show("vote");
      present();
    }
  }

  async function present() {
    const done = sitting().votes.length;
    const { set, left, right } = order[done];
    shownAt = null;
    for (const id of ["left", "right", "skip"]) at(id).disabled = true;
    at("undo").disabled = !done;
    at("done").textContent = "Pair " + (done + 1) + " of " + order.length;
    at("bar").value = done;
    const sides = [[at("left-image"), left], [at("right-image"), right]];
    for (const [image, condition] of sides) image.src = study.images[set.images[condition]];
    try {
      await Promise.all(sides.map(([image]) => image.decode()));
    } catch (error) { /* replaced before it was drawn, or drawn by other means */ }
    if (!sitting() || sitting().votes.length !== done || at("vote").hidden) return;
    const first = sides[0][0];
    document.documentElement.style.setProperty("--shape", first.naturalWidth + " / " + first.naturalHeight);
    for (const id of ["left", "right", "skip"]) at(id).disabled = false;
    at("question").focus({ preventScroll: true });  // so that space does not press the last button again
    shownAt = performance.now();
  }

  function vote(winner) {
    if (shownAt === null || at("vote").hidden) return;
    const one = sitting();
    const { set, left, right } = order[one.votes.length];
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    shownAt = null;
    one.votes.push({ photograph: set.photograph, layer: set.layer, depth: set.depth, left, right, winner, seconds });
    save();
    if (one.votes.length < order.length) present(); else go();
  }

  function rows(sittings) {
    return sittings.flatMap((one) => one.votes.map((vote, index) => ({
      subject: one.subject, order: index + 1, ...vote, seed: one.seed, page: study.page,
    })));
  }

  function download(sittings, kind) {
    const votes = rows(sittings);
    const cell = (value) => '"' + String(value).replaceAll('"', '""') + '"';
    const text = kind === "csv"
      ? [COLUMNS, ...votes.map((vote) => COLUMNS.map((name) => vote[name]))].map((row) => row.map(cell).join(",") + "\r\n").join("")
      : JSON.stringify({ format: "phosphene-votes", version: study.version, title: study.title, page: study.page, votes }, null, 1) + "\n";
    const name = sittings.length === 1 ? sittings[0].subject.replace(/[^\p{L}\p{N}_]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40) : "all";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind === "csv" ? "text/csv" : "application/json" }));
    link.download = "votes-" + (name || "subject") + "-" + (sittings.length === 1 ? sittings[0].seed : study.page) + "." + kind;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  at("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    const subject = at("subject").value.trim() || "subject-" + seed.toString(36);
    kept.sittings.push({ subject, seed, votes: [] });
    kept.current = kept.sittings.length - 1;
    at("subject").value = "";
    save();
    go();
  });
  at("left").addEventListener("click", () => vote("left"));
  at("right").addEventListener("click", () => vote("right"));
  at("skip").addEventListener("click", () => vote("skip"));
  at("undo").addEventListener("click", () => {
    if (!sitting().votes.length) return;
    sitting().votes.pop();
    save();
    present();
  });
  at("pause").addEventListener("click", () => { shownAt = null; kept.current = null; save(); start(); });
  at("next").addEventListener("click", () => { kept.current = null; save(); start(); at("subject").focus(); });
  at("csv").addEventListener("click", () => download([sitting()], "csv"));
  at("json").addEventListener("click", () => download([sitting()], "json"));
  at("all-csv").addEventListener("click", () => download(kept.sittings, "csv"));
  at("all-json").addEventListener("click", () => download(kept.sittings, "json"));
  at("forget").addEventListener("click", () => {
    if (!confirm("Delete all votes that this browser keeps for this page?")) return;
    kept = { sittings: [], current: null };
    save();
    start();
  });
  document.addEventListener("keydown", (event) => {
    if (at("vote").hidden || event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
    const answer = { ArrowLeft: "left", ArrowRight: "right", " ": "skip" }[event.key];
    if (!answer) return;
    if (event.key === " " && document.activeElement instanceof HTMLButtonElement) return;  // its own press
    event.preventDefault();
    vote(answer);
  });

  load();
  go();
})();
