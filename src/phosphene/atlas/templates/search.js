// Search over all units; the query and the order are in the fragment.
(() => {
  "use strict";
  const { decode, best, valueOf, sorted, number, ratio, picture, parse, make, root } = globalThis.atlas;
  const BATCH = 120;
  const layers = JSON.parse(globalThis.atlasUnits).layers.map(decode);
  const units = layers.flatMap((layer) => layer.units);
  const field = (id) => document.getElementById(id);
  const [box, order, list, more] = ["query", "sort", "results", "more"].map(field);

  const item = (unit, text) => {
    const entry = make("li", unit.flags.length ? "flagged" : "");
    const link = make("a");
    link.href = `${root}${unit.layer.folder}${unit.index}.html`;
    const frame = make("span", "frame");
    picture(frame, unit, unit.layer.kinds[0], false);
    const line = make("span", "line");
    const place = make("span", "place", unit.layer.name || "output");
    const said = make("span", "said", text);
    said.dir = place.dir = "auto";
    line.append(make("b", "", String(unit.index)), " ", said);
    link.append(frame, line, place);
    entry.append(link);
    return entry;
  };

  let found = [];
  let told = () => "";
  const grow = () => {
    const next = found.slice(list.children.length, list.children.length + BATCH);
    list.append(...next.map((unit) => item(unit, told(unit))));
    more.hidden = list.children.length >= found.length;
  };

  const find = () => {
    const asked = parse(box.value, layers);
    const key = order.value;
    found = asked.empty ? [] : units.filter(asked.fits);
    // "Best match" is the IoU of the concepts asked for, then the order of the network.
    if (key || asked.concepts) found = sorted(found, key || "iou", true, asked.accepts);
    told = (unit) => {
      if (key.startsWith("statistic:")) {
        const value = valueOf(unit, key);
        return value === null ? "–" : number(value);
      }
      const iou = key === "iou" || asked.concepts ? best(unit, asked.accepts) : null;
      if (iou !== null) {
        const concept = unit.concepts.find((one) => asked.accepts(one) && one.iou === iou);
        return `${concept.name} ${ratio(iou)}`;
      }
      const [first] = unit.concepts;
      return unit.label || (first?.detector ? first.name : "");
    };
    list.replaceChildren();
    grow();
    field("count").textContent = asked.wrong || (asked.empty ? ""
      : found.length ? `${found.length} unit${found.length === 1 ? "" : "s"}` : "No unit is so.");
    field("syntax").hidden = !asked.empty && found.length > 0;
  };

  const write = () => {
    const said = new URLSearchParams();
    if (box.value.trim()) said.set("q", box.value.trim());
    if (order.value) said.set("sort", order.value);
    const text = String(said);
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };
  const read = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    box.value = given.get("q") ?? "";
    order.value = given.get("sort") ?? "";
    if (order.selectedIndex < 0) order.value = "";
    find();
  };

  box.addEventListener("input", () => {
    write();
    find();
  });
  order.addEventListener("change", () => {
    write();
    find();
  });
  field("search").addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.focus();
  });
  more.addEventListener("click", grow);
  if (globalThis.IntersectionObserver) {
    // Watched anew after each batch, since what stays in sight is told of only once.
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting) || more.hidden) return;
      grow();
      watch.unobserve(more.parentElement);
      watch.observe(more.parentElement);
    }, { rootMargin: "600px" });
    watch.observe(more.parentElement);
  }
  addEventListener("hashchange", read);
  read();
  if (!box.value) box.focus();
})();
