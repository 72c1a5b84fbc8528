// A photograph in, and what the network sees out: asked of the server one thing after the other.
(() => {
  "use strict";
  const { make, drawn, figure, mark, percent, number } = globalThis.atlas;
  const get = (id) => document.getElementById(id);
  const known = JSON.parse(get("data").textContent);
  const RULES = {
    saliency: "the derivative",
    deconvnet: "rectified on the way back",
    guided: "both at once",
  };

  // What is on the page is of one photograph; answers to questions about an earlier one are dropped.
  let turn = 0;
  let photo = "";
  let working = 0;

  const trouble = (sentence) => {
    const box = get("trouble");
    box.textContent = sentence;
    box.hidden = !sentence;
  };
  const state = (sentence) => {
    get("state").textContent = sentence;
  };

  class Gone extends Error {}

  const ask = async (path, body, kind = "application/json") => {
    const mine = turn;
    working += 1;
    get("progress").hidden = false;
    try {
      const sent = kind === "application/json" ? JSON.stringify(body) : body;
      let answer;
      try {
        answer = await fetch(`/live/${path}`, { method: "POST", body: sent, headers: { "Content-Type": kind } });
      } catch {
        throw new Error("The server does not answer: is `phosphene serve` still running?");
      }
      const found = await answer.json();
      if (mine !== turn) throw new Gone();
      if (!answer.ok) throw new Error(found.error);
      return found;
    } finally {
      working -= 1;
      get("progress").hidden = working === 0;
    }
  };

  const attempt = async (work) => {
    const mine = turn;
    try {
      return await work();
    } catch (error) {
      if (error instanceof Gone || mine !== turn) return null;
      const said = String(error.message || error);
      trouble(said.charAt(0).toUpperCase() + said.slice(1));
      state("");
      return null;
    }
  };

  // -- a photograph ---------------------------------------------------------------------------

  const begin = (name) => {
    turn += 1;
    trouble("");
    state("Reading the photograph …");
    get("name").textContent = name;
    get("name").title = name;
  };

  const take = (file) => {
    if (!file) return;
    begin(file.name || "pasted");
    if (file.size > known.largest) {
      trouble(`At most ${known.largest / 2 ** 20} MB are taken: shrink the photograph first.`);
      state("");
      return;
    }
    attempt(async () => {
      await look(await ask("photographs", file, "application/octet-stream"));
    });
  };

  const takeScene = (scene) => {
    begin(`Scene ${scene + 1}`);
    attempt(async () => {
      await look(await ask("scene", { scene }));
    });
  };

  const look = async (found) => {
    photo = found.photo;
    get("stage").replaceChildren(drawn(found.shown, "the photograph as the network sees it"));
    get("layers").replaceChildren();
    for (const id of ["why", "alike", "units"]) if (get(id)) get(id).hidden = true;
    showClasses(found.classes);
    get("drop").hidden = true;
    get("again").hidden = false;
    get("found").hidden = false;
    if (!found.classes.length || document.activeElement === document.body) get("content").focus({ preventScroll: true });
    // What one looks for first is asked for first.
    if (found.classes.length) await explain(found.classes[0].index);
    await attempt(() => showLayers(known.chosen));
    if (known.site) await attempt(showAlike);
    state("");
  };

  // -- classes --------------------------------------------------------------------------------

  const showClasses = (classes) => {
    const place = get("classes");
    place.replaceChildren();
    if (!classes.length) {
      place.append(make("p", "none", "This network tells no classes apart; its units are below."));
      return;
    }
    const table = make("table", "bars");
    const head = make("tr");
    const heads = [make("th", "", "class"), make("td"), make("th", "number", "probability")];
    for (const cell of heads) if (cell.tagName === "TH") cell.scope = "col";
    head.append(...heads);
    const body = make("tbody");
    for (const entry of classes) body.append(classRow(entry));
    const top = make("thead");
    top.append(head);
    table.append(top, body);
    place.append(table, otherClass());
    pressed(classes[0].index);
  };

  const classRow = ({ index, name, probability }) => {
    const row = make("tr");
    const title = make("th");
    title.scope = "row";
    const button = make("button", "", name);
    button.type = "button";
    button.dir = "auto";
    button.dataset.class = index;
    button.addEventListener("click", () => explain(index));
    title.append(button);
    const length = make("td");
    const bar = make("i", "bar");
    bar.style.setProperty("--v", probability.toFixed(4));
    length.append(bar);
    length.setAttribute("aria-hidden", "true");
    row.append(title, length, make("td", "number", percent(probability)));
    return row;
  };

  const otherClass = () => {
    const form = make("form");
    const box = make("input");
    box.setAttribute("aria-label", "Another class");
    box.placeholder = "another class";
    box.autocomplete = "off";
    box.spellcheck = false;
    if (get("names")) box.setAttribute("list", "names");
    const button = make("button", "", "Explain");
    form.append(box, button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (box.value.trim()) explain(box.value.trim());
    });
    return form;
  };

  const pressed = (index) => {
    for (const button of get("classes").querySelectorAll("[data-class]")) {
      const on = Number(button.dataset.class) === index;
      button.setAttribute("aria-pressed", String(on));
      button.closest("tr").classList.toggle("on", on);
    }
  };

  const explain = (wanted) =>
    attempt(async () => {
      trouble("");
      state("Explaining the class …");
      if (typeof wanted === "number") pressed(wanted);
      const why = get("why");
      why.setAttribute("aria-busy", "true");
      try {
        const found = await ask("explain", { photo, class: wanted });
        pressed(found.class.index);
        get("why-title").textContent = `Why ${found.class.name}? (${percent(found.class.probability)})`;
        const tiles = found.pictures.map(({ rule, signal, empty }) =>
          figure(signal, `signal of ${rule}`, rule, empty ? "zero everywhere" : RULES[rule] ?? ""),
        );
        if (found.pictures.length) {
          const { rule, map } = found.pictures[0];
          tiles.push(figure(map, `map of ${rule}`, `map of ${rule}`, "where the class hangs on pixels"));
        }
        get("why-pictures").replaceChildren(...tiles);
        get("why-note").textContent = `Sent back through ${found.census}.`;
        why.hidden = false;
        if (working === 0) state("");
      } finally {
        why.removeAttribute("aria-busy");
      }
    });

  // -- units ----------------------------------------------------------------------------------

  const showLayers = async (names) => {
    if (!names.length) {
      get("units").hidden = !known.layers.length;
      return;
    }
    state("Finding the strongest units …");
    const found = await ask("units", { photo, layers: names });
    for (const [place, layer] of found.layers.entries()) get("layers").append(layerRow(names[place], layer));
    get("units").hidden = false;
    for (const option of get("layer").options) {
      option.disabled = [...get("layers").children].some((row) => row.dataset.layer === option.value);
    }
    state("");
  };

  const layerRow = (name, found) => {
    const row = make("section", "layer-row");
    row.dataset.layer = name;
    const title = make("h3");
    const said = make("span", "", found.layer);
    said.dir = "auto";
    title.append(said, make("small", "", [found.kind, `${found.shape[0]} units`, found.field].filter(Boolean).join(" · ")));
    const grid = make("ol", "grid");
    grid.dataset.roam = "";
    grid.setAttribute("aria-label", `Strongest units of ${found.layer}`);
    for (const unit of found.units) grid.append(unitTile(name, unit, row));
    row.append(title, grid);
    return row;
  };

  const unitTile = (layer, unit, row) => {
    const item = make("li");
    const link = make("a");
    link.href = "#";
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", "false");
    link.setAttribute("aria-label", `Unit ${unit.unit}${unit.label ? `, ${unit.label}` : ""}, ${number(unit.value)}`);
    const frame = make("span", "frame");
    frame.append(drawn(unit.patch, ""));
    const line = make("span", "line");
    const said = make("span", "said", unit.label || number(unit.value));
    said.dir = "auto";
    line.append(make("b", "", String(unit.unit)), said);
    link.append(frame, line);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (link.getAttribute("aria-expanded") === "true") close(row);
      else openUnit(layer, unit.unit, link, row);
    });
    link.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        event.preventDefault();
        link.click();
      }
    });
    for (const sign of ["mouseenter", "focus"]) link.addEventListener(sign, () => mark(get("stage"), unit.box));
    for (const sign of ["mouseleave", "blur"]) link.addEventListener(sign, () => mark(get("stage"), null));
    item.append(link);
    return item;
  };

  const close = (row) => {
    row.querySelector(".opened")?.remove();
    row.querySelector("[aria-expanded=true]")?.setAttribute("aria-expanded", "false");
  };

  const openUnit = (layer, unit, link, row) =>
    attempt(async () => {
      trouble("");
      close(row);
      link.setAttribute("aria-expanded", "true");
      state("Sending the unit back …");
      const found = await ask("unit", { photo, layer, unit });
      state("");
      if (link.getAttribute("aria-expanded") !== "true") return;
      row.querySelector(".opened")?.remove();
      row.append(details(found));
    });

  // The rule chosen last holds for the next unit, too.
  let ruled = "guided";
  let groups = 0;

  const details = (found) => {
    const box = make("div", "opened");
    const title = make("h4", "", `${found.layer} ${found.unit}${found.label ? ` – ${found.label}` : ""}`);
    title.dir = "auto";
    const [row, column] = found.at;
    const place = found.box[2] < 1 || found.box[3] < 1 ? ` at row ${row}, column ${column} of its map` : "";
    box.append(title, make("p", "note", `${number(found.value)}${place}, where it is strongest`));
    const ways = make("div", "ways");
    const pictures = make("div", "pair-pictures");
    const rules = found.pictures.map(({ rule }) => rule);
    const shown = rules.includes(ruled) ? ruled : rules[0];
    const signal = (rule) => {
      const { signal: sent, empty } = found.pictures.find((picture) => picture.rule === rule);
      pictures.replaceChildren(
        where(found.box),
        figure(found.patch, "what the unit sees", "what it sees"),
        figure(sent, `signal of ${rule}`, "what made it fire", empty ? "zero everywhere" : rule),
      );
    };
    if (rules.length > 1) ways.append(chooser(rules, shown, signal));
    if (found.page) {
      const link = make("a", "", "Its page in the atlas");
      link.href = found.page;
      ways.append(link);
    }
    box.append(ways, pictures);
    signal(shown);
    const own = make("div", "own");
    for (const strip of found.strips) own.append(thumbs(strip));
    if (found.strips.length) box.append(own);
    return box;
  };

  const where = (box) => {
    const part = make("div", "where");
    const stage = make("div", "stage");
    stage.append(get("stage").querySelector("img").cloneNode());
    mark(stage, box);
    part.append(stage, make("p", "", "where it looks"));
    return part;
  };

  const chooser = (rules, shown, choose) => {
    const set = make("fieldset", "segments");
    set.append(make("legend", "", "Reversed network"));
    groups += 1;
    for (const rule of rules) {
      const label = make("label");
      const input = make("input");
      input.type = "radio";
      input.name = `rule-${groups}`;
      input.value = rule;
      input.checked = rule === shown;
      input.addEventListener("change", () => {
        ruled = rule;
        choose(rule);
      });
      label.append(input, make("span", "", rule));
      set.append(label);
    }
    return set;
  };

  const thumbs = (strip) => {
    const part = make("div");
    const title = make("h5", "", strip.title);
    title.dir = "auto";
    const row = make("div", "thumbs");
    for (const sent of strip.pictures) {
      const image = drawn(sent, [sent.caption, sent.source, strip.title].filter(Boolean).join(", "));
      image.title = [sent.source, sent.caption].filter(Boolean).join(", ");
      image.loading = "lazy";
      row.append(image);
    }
    part.append(title, row);
    return part;
  };

  // -- photographs of the atlas ---------------------------------------------------------------

  const showAlike = async () => {
    state("Looking for photographs alike …");
    const { photographs } = await ask("alike", { photo });
    get("alike-list").replaceChildren(...photographs.map(likeness));
    get("alike").hidden = !photographs.length;
    state("");
  };

  const likeness = (found) => {
    const item = make("li");
    const row = make("div", "thumbs");
    for (const patch of found.patches) {
      const link = make("a");
      link.href = patch.page;
      link.title = `${patch.layer} ${patch.unit}`;
      link.append(drawn(patch, `patch of ${found.source}, ${patch.layer} ${patch.unit}`));
      row.append(link);
    }
    const said = make("p", "said");
    const name = make("b", "", found.source);
    name.dir = "auto";
    name.title = found.source;
    said.append(name, make("span", "", `${found.units} unit${found.units === 1 ? "" : "s"}`));
    item.append(row, said);
    return item;
  };

  // -- ways in --------------------------------------------------------------------------------

  get("choose").addEventListener("click", () => get("file").click());
  get("file").addEventListener("change", () => {
    take(get("file").files[0]);
    get("file").value = "";
  });
  get("again").addEventListener("click", () => {
    turn += 1;
    photo = "";
    state("");
    trouble("");
    get("found").hidden = true;
    get("again").hidden = true;
    get("drop").hidden = false;
    scrollTo(0, 0);
    get("choose").focus();
  });
  for (const link of document.querySelectorAll("[data-scene]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      takeScene(Number(link.dataset.scene));
    });
  }

  let depth = 0;
  const over = (step) => {
    depth = Math.max(0, depth + step);
    document.body.classList.toggle("dragged", depth > 0);
  };
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    over(1);
  });
  document.addEventListener("dragleave", () => over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
    else trouble("That is no file: save the picture first, and drop the file.");
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) {
      event.preventDefault();
      take(file);
    }
  });

  for (const name of known.layers) {
    const option = make("option", "", name);
    option.value = name;
    get("layer").append(option);
  }
  get("more").addEventListener("submit", (event) => event.preventDefault());
  get("layer").addEventListener("change", async () => {
    const name = get("layer").value;
    get("layer").value = "";
    if (!name) return;
    await attempt(() => showLayers([name]));
    get("layers").lastElementChild?.querySelector("a")?.focus();
  });
})();
