// The language of searches: words, numbers, FIELD:WORDS, NAME>NUMBER, each with - for "not".
(() => {
  "use strict";
  const { best } = globalThis.atlas;
  const TOKEN = /-?(?:"[^"]*"?|[^\s"])+/gu;
  const COMPARISON = /^(.+?)(<=|>=|<|>|=)([-+−]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/iu;
  const OPERATORS = {
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => a === b,
  };
  const low = (text) => text.toLowerCase();
  const plain = (text) => low(text).replace(/[^\p{L}\p{N}.]+/gu, "");
  const inConcepts = (test) => (unit) => unit.concepts.some(test);
  const FIELDS = {
    concept: (word) => inConcepts((concept) => low(concept.name).includes(word)),
    category: (word) => inConcepts((concept) => low(concept.category).includes(word)),
    detector: (word) => inConcepts((concept) => concept.detector && low(concept.name).includes(word)),
    layer: (word) => (unit) => low(unit.layer.name).includes(word),
    label: (word) => (unit) => low(unit.label).includes(word),
    flag: (word) => (unit) => unit.flags.some((flag) => low(flag).includes(word)),
  };
  const hay = new WeakMap();
  const wordsOf = (unit) => {
    let text = hay.get(unit);
    if (text === undefined) {
      const names = unit.concepts.flatMap((concept) => [concept.name, concept.category]);
      text = low([unit.layer.name, unit.label, ...names, ...unit.flags].join("\n"));
      hay.set(unit, text);
    }
    return text;
  };

  // Which of a layer's statistics goes by a name: the whole, or how it begins.
  const statistic = (layer, name) => {
    const names = layer.statistics.map(plain);
    const whole = names.indexOf(name);
    return whole >= 0 ? whole : names.findIndex((other) => other.startsWith(name));
  };

  // Read a query: tests of units, which concepts it names, and what is wrong with it.
  const parse = (text, layers) => {
    const tests = [];
    const wanted = [];
    let wrong = "";
    const concepts = (accepts) => wanted.push(accepts);
    for (const whole of text.match(TOKEN) ?? []) {
      const negative = whole.startsWith("-") && whole.length > 1;
      const token = negative ? whole.slice(1) : whole;
      const bare = low(token.replaceAll('"', "")).trim();
      if (!bare) continue;
      const compared = COMPARISON.exec(token);
      const colon = token.indexOf(":");
      const field = colon > 0 ? low(token.slice(0, colon)) : "";
      let test;
      if (compared) {
        const name = plain(compared[1]);
        const value = Number(compared[3].replace("−", "-"));
        const holds = OPERATORS[compared[2]];
        if (name === "iou") test = (unit) => holds(best(unit, accepts) ?? Number.NaN, value);
        else if (name === "unit" || name === "number") test = (unit) => holds(unit.index, value);
        else {
          const which = new Map(layers.map((layer) => [layer, name ? statistic(layer, name) : -1]));
          if (![...which.values()].some((k) => k >= 0)) {
            wrong = `There is no statistic ${compared[1].replaceAll('"', "")}.`;
          }
          test = (unit) => {
            const found = which.get(unit.layer);
            return found >= 0 && unit.values[found] !== null && holds(unit.values[found], value);
          };
        }
      } else if (Object.hasOwn(FIELDS, field)) {
        const word = low(token.slice(colon + 1).replaceAll('"', "")).trim();
        test = FIELDS[field](word);
        if (!negative && (field === "concept" || field === "detector")) {
          concepts((concept) => low(concept.name).includes(word));
        }
        if (!negative && field === "category") concepts((concept) => low(concept.category).includes(word));
      } else if (/^\d+$/.test(bare)) {
        test = (unit) => unit.index === Number(bare) || low(unit.label).includes(bare);
      } else {
        test = (unit) => wordsOf(unit).includes(bare);
        if (!negative && layers.some((layer) => layer.concepts.some((c) => low(c.name).includes(bare)))) {
          concepts((concept) => low(concept.name).includes(bare));
        }
      }
      tests.push(negative ? (unit) => !test(unit) : test);
    }
    const accepts = wanted.length ? (concept) => wanted.every((one) => one(concept)) : () => true;
    const fits = (unit) => tests.every((test) => test(unit));
    return { empty: !tests.length, fits, accepts, concepts: wanted.length > 0, wrong };
  };

  globalThis.atlas.parse = parse;
})();
