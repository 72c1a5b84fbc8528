// A layer's units: pictures of one kind or another, sorted, filtered. All of it is in the fragment.
(() => {
  "use strict";
  const { decode, best, valueOf, sorted, number, ratio, picture, make } = globalThis.atlas;
  const layer = decode(JSON.parse(document.getElementById("data").textContent));
  const list = document.getElementById("units");
  const items = [...list.children];
  const controls = document.getElementById("controls");
  const field = (id) => document.getElementById(id);
  const selects = ["concept", "category", "flag"].filter((id) => field(id));
  const shown = [...controls.querySelectorAll("input[name=show]")];
  const keys = ["iou", ...layer.statistics.map((name) => `statistic:${name}`)];
  const nameOf = (key) => (key === "iou" ? "IoU" : key === "index" ? "number" : key.slice("statistic:".length));

  let state = {};
  const read = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    const sort = given.get("sort") ?? "index";
    state = {
      show: layer.kinds.includes(given.get("show")) ? given.get("show") : (layer.kinds[0] ?? ""),
      sort: sort === "index" || keys.includes(sort) ? sort : "index",
      bounds: new Map(),
    };
    state.down = given.has("order") ? given.get("order") === "down" : state.sort !== "index";
    for (const id of ["concept", "category", "flag"]) state[id] = given.get(id) ?? "";
    for (const key of keys) {
      const bound = ["min", "max"].map((end) => parse(given.get(`${end}.${key}`)));
      if (bound.some((value) => value !== null)) state.bounds.set(key, bound);
    }
  };
  const parse = (text) => {
    const value = Number((text ?? "").trim().replace(",", ".").replace("−", "-"));
    return (text ?? "").trim() === "" || Number.isNaN(value) ? null : value;
  };

  const write = () => {
    const said = new URLSearchParams();
    if (state.show && state.show !== layer.kinds[0]) said.set("show", state.show);
    if (state.sort !== "index") said.set("sort", state.sort);
    if (state.down !== (state.sort !== "index")) said.set("order", state.down ? "down" : "up");
    for (const id of ["concept", "category", "flag"]) if (state[id]) said.set(id, state[id]);
    for (const [key, bound] of state.bounds) {
      for (const [k, end] of ["min", "max"].entries()) {
        if (bound[k] !== null) said.set(`${end}.${key}`, String(bound[k]));
      }
    }
    const text = String(said);
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };

  // IoU is that of the concepts asked for.
  const accepts = (concept) =>
    (!state.concept || concept.name === state.concept) && (!state.category || concept.category === state.category);
  const fits = (unit) => {
    if (state.flag && !unit.flags.includes(state.flag)) return false;
    if ((state.concept || state.category) && best(unit, accepts) === null) return false;
    for (const [key, [least, most]] of state.bounds) {
      const value = valueOf(unit, key, accepts);
      if (value === null || (least !== null && value < least) || (most !== null && value > most)) return false;
    }
    return true;
  };

  const said = (unit) => {
    if (state.sort !== "index") {
      const value = valueOf(unit, state.sort, accepts);
      if (value === null) return "–";
      return state.sort === "iou" ? ratio(value) : number(value);
    }
    if (state.concept || state.category) return ratio(best(unit, accepts));
    const [first] = unit.concepts;
    return unit.label || (first?.detector ? first.name : "");
  };

  let pictured = layer.kinds[0] ?? "";
  const draw = () => {
    let left = 0;
    const order = sorted(layer.units, state.sort, state.down, accepts);
    const ordered = document.createDocumentFragment();
    for (const unit of order) {
      const item = items[unit.place];
      item.hidden = !fits(unit);
      if (!item.hidden) {
        left += 1;
        item.querySelector(".said").textContent = said(unit);
      }
      if (pictured !== state.show) picture(item.querySelector(".frame"), unit, state.show, true);
      ordered.append(item);
    }
    pictured = state.show;
    list.append(ordered);
    const all = `${items.length} unit${items.length === 1 ? "" : "s"}`;
    field("count").textContent = left === items.length ? all : `${left} of ${all}`;
    field("none").hidden = left > 0;
    fill();
    chips();
  };

  const fill = () => {
    for (const radio of shown) radio.checked = radio.value === state.show;
    field("sort").value = state.sort;
    field("order").textContent = state.down ? "↓" : "↑";
    field("order").setAttribute("aria-label", state.down ? "Descending" : "Ascending");
    for (const id of selects) field(id).value = state[id];
    fillBounds(document.activeElement);
  };
  // Not while one types: "0." is on its way to "0.5".
  const fillBounds = (typed = null) => {
    if (!field("bound")) return;
    const [least, most] = state.bounds.get(field("bound").value) ?? [null, null];
    for (const [id, value] of [["least", least], ["most", most]]) {
      if (field(id) !== typed) field(id).value = value ?? "";
    }
  };

  const chips = () => {
    const made = [];
    const chip = (text, drop) => {
      const button = make("button", "chip", text);
      button.type = "button";
      button.dir = "auto";
      button.setAttribute("aria-label", `Remove: ${text}`);
      button.addEventListener("click", () => {
        drop();
        change();
        (document.querySelector("#chips button") ?? field("sort")).focus();
      });
      made.push(button);
    };
    for (const id of ["concept", "category", "flag"]) {
      if (state[id]) chip(`${id}: ${state[id]}`, () => (state[id] = ""));
    }
    for (const [key, [least, most]] of state.bounds) {
      const name = nameOf(key);
      const text = least === null ? `${name} ≤ ${number(most)}`
        : most === null ? `${name} ≥ ${number(least)}` : `${number(least)} ≤ ${name} ≤ ${number(most)}`;
      chip(text, () => state.bounds.delete(key));
    }
    field("chips").replaceChildren(...made);
  };

  const change = () => {
    write();
    draw();
  };

  controls.addEventListener("submit", (event) => event.preventDefault());
  for (const radio of shown) {
    radio.addEventListener("change", () => {
      state.show = radio.value;
      change();
    });
  }
  field("sort").addEventListener("change", () => {
    state.sort = field("sort").value;
    state.down = state.sort !== "index";
    change();
  });
  field("order").addEventListener("click", () => {
    state.down = !state.down;
    change();
  });
  for (const id of selects) {
    field(id).addEventListener("change", () => {
      state[id] = field(id).value;
      change();
    });
  }
  field("bound")?.addEventListener("change", () => fillBounds());
  for (const id of ["least", "most"]) {
    field(id)?.addEventListener("input", () => {
      const bound = [parse(field("least").value), parse(field("most").value)];
      if (bound.every((value) => value === null)) state.bounds.delete(field("bound").value);
      else state.bounds.set(field("bound").value, bound);
      change();
    });
  }
  addEventListener("hashchange", () => {
    read();
    draw();
  });

  controls.hidden = false;
  read();
  if (state.bounds.size) field("bound").value = [...state.bounds.keys()][0];
  draw();
})();
