// How results look: elements made of texts and pictures, never of markup.
(() => {
  "use strict";
  const { make } = globalThis.atlas;

  // A picture that the server sent inside its answer, or an address of the site.
  const picture = (sent, alt) => {
    const image = make("img", sent.height < 64 ? "cells" : "");
    image.src = sent.src;
    image.width = sent.width;
    image.height = sent.height;
    image.alt = alt;
    image.decoding = "async";
    return image;
  };

  const figure = (sent, alt, caption, note = "") => {
    const made = make("figure");
    made.style.setProperty("--w", sent.width);
    made.style.setProperty("--h", sent.height);
    const words = make("figcaption");
    words.append(make("span", "", caption));
    if (note) words.append(make("span", "source", note));
    made.append(picture(sent, alt), words);
    return made;
  };

  // A frame on the photograph where a unit looks; its sides are shares of the photograph's.
  const mark = (stage, box) => {
    stage.querySelector(".mark")?.remove();
    if (!box) return;
    const frame = make("i", "mark");
    const [left, top, width, height] = box.map((share) => `${100 * share}%`);
    Object.assign(frame.style, { left, top, width, height });
    stage.append(frame);
  };

  const percent = (share) => {
    if (share > 0 && share < 0.001) return "< 0.1 %";
    return `${(100 * share).toFixed(1)} %`;
  };
  const number = (value) => {
    const text = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(1)
      : String(Number(value.toPrecision(3)));
    return text.replace("-", "−");
  };

  Object.assign(globalThis.atlas, { drawn: picture, figure, mark, percent, number });
})();
