// What all pages share: keys, colours, enlarged pictures, the box that leads to search.
(() => {
  "use strict";
  const root = document.body.dataset.root;
  const make = (tag, className = "", text = "") => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.textContent = text;
    return element;
  };
  const atlas = (globalThis.atlas = { root, make });

  // Light and dark. Choosing what the system has is to follow it again.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const page = document.documentElement;
    const system = dark.matches ? "dark" : "light";
    const next = (page.dataset.theme || system) === "dark" ? "light" : "dark";
    if (next === system) delete page.dataset.theme;
    else page.dataset.theme = next;
    try {
      if (next === system) localStorage.removeItem("phosphene-theme");
      else localStorage.setItem("phosphene-theme", next);
    } catch {
      // It holds for this page only.
    }
  });

  const help = document.getElementById("help");
  const helpButton = document.getElementById("keys");
  helpButton.hidden = false;
  helpButton.addEventListener("click", () => help.showModal());

  const find = document.querySelector(".find");
  find?.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = find.querySelector("input").value.trim();
    location.href = `${root}search.html${query ? `#q=${encodeURIComponent(query)}` : ""}`;
  });

  // Going through a list by keys: the links of what is shown in [data-roam].
  const links = () =>
    [...document.querySelectorAll("[data-roam]")].flatMap((list) =>
      [...list.children].filter((item) => !item.hidden).map((item) => item.querySelector("a")),
    ).filter(Boolean);
  const roam = (event, step, rows) => {
    const all = links();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    if (rows && at < 0) return; // the page scrolls
    let width = 1;
    if (rows) {
      const top = all[0].getBoundingClientRect().top;
      while (width < all.length && all[width].getBoundingClientRect().top === top) width += 1;
    }
    const next = at < 0 ? 0 : at + step * width;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, next))].focus();
  };
  const go = (event, step) => {
    if (document.querySelector("[data-roam]")) {
      roam(event, step, false);
      return;
    }
    const link = document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]");
    if (link) {
      event.preventDefault();
      link.click();
    }
  };

  const leave = () => {
    const up = document.querySelector("a[rel=up]") ?? document.querySelector("[data-key=g]");
    if (!up.hasAttribute("aria-current")) up.click();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (typing) typing.blur();
      else leave();
      return;
    }
    if (typing) return;
    const scrolled = event.target.closest?.(".numbers");
    if (event.key === "/") {
      event.preventDefault();
      const box = document.querySelector("input[data-key='/']");
      box.focus();
      box.select();
    } else if (event.key === "?") help.showModal();
    else if (event.key === "g") document.querySelector("[data-key=g]").click();
    else if (event.key === "j" || (event.key === "ArrowRight" && !scrolled)) go(event, 1);
    else if (event.key === "k" || (event.key === "ArrowLeft" && !scrolled)) go(event, -1);
    else if (event.key === "ArrowDown") roam(event, 1, true);
    else if (event.key === "ArrowUp") roam(event, -1, true);
  });

  // Enlarging: arrow keys go through the pictures, Escape (the dialog's own) closes.
  const pictures = [...document.querySelectorAll(".strip figure img")];
  if (!pictures.length) return;
  const overlay = make("dialog", "overlay");
  overlay.setAttribute("aria-label", "Picture");
  const stage = make("div", "stage");
  const picture = make("img");
  const words = make("p");
  const caption = make("span");
  const heading = make("small");
  caption.dir = heading.dir = "auto";
  const back = make("button", "", "← Previous");
  const forth = make("button", "", "Next →");
  const close = make("button", "", "Close");
  for (const button of [back, forth, close]) button.type = "button";
  stage.append(picture);
  words.append(caption, heading);
  const ways = make("div", "turn");
  ways.append(back, forth);
  const bar = make("div", "bottom");
  bar.append(ways, words, close);
  overlay.append(stage, bar);
  document.body.append(overlay);

  let at = 0;
  const show = (index) => {
    at = (index + pictures.length) % pictures.length;
    const source = pictures[at];
    picture.src = source.src;
    picture.alt = source.alt;
    picture.classList.toggle("cells", source.naturalHeight < 48);
    const said = [...source.closest("figure").querySelectorAll("figcaption span")];
    caption.textContent = said.map((element) => element.textContent).join(" · ");
    heading.textContent = source.closest(".strip").getAttribute("aria-label");
  };
  back.addEventListener("click", () => show(at - 1));
  forth.addEventListener("click", () => show(at + 1));
  close.addEventListener("click", () => overlay.close());
  stage.addEventListener("click", () => overlay.close());
  overlay.addEventListener("close", () => pictures[at].focus());
  overlay.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "k") show(at - 1);
    if (event.key === "ArrowRight" || event.key === "j") show(at + 1);
  });
  for (const [index, image] of pictures.entries()) {
    const enlarge = () => {
      show(index);
      overlay.showModal();
    };
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.addEventListener("click", enlarge);
    image.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        enlarge();
      }
    });
  }
})();
