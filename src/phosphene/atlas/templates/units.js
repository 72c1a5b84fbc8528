// Units from the lists that Python wrote, their order, and how one looks in a grid.
(() => {
  "use strict";
  const { make, root } = globalThis.atlas;

  const decode = (data) => {
    const layer = { ...data, concepts: data.concepts.map(([name, category]) => ({ name, category })) };
    layer.units = data.units.map(([index, label, flags, concepts, values, pictures], place) => ({
      layer,
      place,
      index,
      label,
      flags: flags.map((flag) => data.flags[flag]),
      concepts: concepts.map(([which, iou, detector]) => ({
        ...layer.concepts[which],
        iou,
        detector: Boolean(detector),
      })),
      values,
      pictures,
    }));
    return layer;
  };

  // The best IoU of a unit among the concepts that `accepts` takes; null if there is none.
  const best = (unit, accepts = () => true) => {
    let found = null;
    for (const concept of unit.concepts) {
      if (concept.iou !== null && accepts(concept) && !(found >= concept.iou && found !== null)) found = concept.iou;
    }
    return found;
  };

  // What `iou` or `statistic:NAME` or `index` is of a unit; null where it has none.
  const valueOf = (unit, key, accepts) => {
    if (key === "index") return unit.index;
    if (key === "iou") return best(unit, accepts);
    const which = unit.layer.statistics.indexOf(key.slice("statistic:".length));
    return which < 0 ? null : unit.values[which];
  };

  // Sort a list of units; those without a value come last either way.
  const sorted = (units, key, down, accepts) => {
    const keyed = units.map((unit, place) => [valueOf(unit, key, accepts), place, unit]);
    const sign = down ? -1 : 1;
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      return sign * (a - b) || i - j;
    });
    return keyed.map(([, , unit]) => unit);
  };

  const ratio = (value) => value.toFixed(3);
  const number = (value) => {
    if (Math.abs(value) > 1e308) return value > 0 ? "∞" : "−∞";
    const text = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)
      ? value.toExponential(2)
      : String(Number(value.toPrecision(3)));
    return text.replace("-", "−");
  };

  // Put the picture of a kind into a frame, or the first there is.
  const picture = (frame, unit, kind, exactly) => {
    const wanted = unit.pictures[unit.layer.kinds.indexOf(kind)];
    const entry = wanted ?? (exactly ? null : unit.pictures.find(Boolean));
    if (!entry) {
      const blank = make("span", "blank");
      blank.setAttribute("role", "img");
      blank.setAttribute("aria-label", "no picture");
      frame.replaceChildren(blank);
      return;
    }
    const [address, width, height] = entry;
    const image = make("img", height < 48 ? "cells" : "");
    image.loading = "lazy";
    image.decoding = "async";
    image.width = width;
    image.height = height;
    image.alt = `unit ${unit.index}, ${wanted ? kind : unit.layer.kinds[unit.pictures.indexOf(entry)]}`;
    image.src = root + address;
    frame.replaceChildren(image);
  };

  Object.assign(globalThis.atlas, { decode, best, valueOf, sorted, number, ratio, picture });
})();
