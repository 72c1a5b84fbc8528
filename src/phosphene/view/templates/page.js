(() => {
  "use strict";
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  };

  // Filter: hides rows whose headings and captions do not hold all the words.
  const form = document.querySelector(".filter");
  if (form) {
    const rows = [...document.querySelectorAll(".row")].map((row) => ({
      row,
      text: [row.getAttribute("aria-label"), ...[...row.querySelectorAll("figcaption, dd")].map((e) => e.textContent)]
        .join(" ").toLowerCase(),
      entry: document.querySelector(`.index a[href="#${row.id}"]`)?.parentElement,
    }));
    const box = form.querySelector("input");
    const count = form.querySelector("output");
    const filter = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const { row, text, entry } of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        if (entry) entry.hidden = row.hidden;
        left += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${left} of ${rows.length} rows` : `${rows.length} rows`;
    };
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    box.addEventListener("input", filter);
    filter();
  }

  // Enlarging: arrow keys go through the pictures, Escape (the dialog's own) closes.
  if (!window.HTMLDialogElement) return;
  const overlay = make("dialog", "overlay");
  overlay.setAttribute("aria-label", "Picture");
  const stage = make("div", "stage");
  const picture = make("img");
  const words = make("p");
  const caption = make("span");
  const heading = make("small");
  const ways = make("div", "ways");
  const back = make("button", "", "← Previous");
  const forth = make("button", "", "Next →");
  const close = make("button", "", "Close");
  for (const button of [back, forth, close]) button.type = "button";
  stage.append(picture);
  words.append(caption, heading);
  ways.append(back, forth);
  const bar = make("div", "bar");
  bar.append(ways, words, close);
  overlay.append(stage, bar);
  document.body.append(overlay);

  let all = [];
  let at = 0;
  const show = (index) => {
    at = (index + all.length) % all.length;
    const source = all[at];
    picture.src = source.src;
    picture.alt = source.alt;
    picture.classList.toggle("cells", source.classList.contains("cells"));
    caption.textContent = source.closest("figure").querySelector("figcaption")?.textContent ?? "";
    heading.textContent = source.closest(".row").getAttribute("aria-label");
  };
  const enlarge = (image) => {
    all = [...document.querySelectorAll(".row:not([hidden]) figure img")];
    show(all.indexOf(image));
    overlay.showModal();
  };
  back.addEventListener("click", () => show(at - 1));
  forth.addEventListener("click", () => show(at + 1));
  close.addEventListener("click", () => overlay.close());
  stage.addEventListener("click", () => overlay.close());
  overlay.addEventListener("close", () => all[at]?.focus());
  overlay.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });

  for (const image of document.querySelectorAll(".phosphene figure img")) {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.addEventListener("click", () => enlarge(image));
    image.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        enlarge(image);
      }
    });
  }
})();
