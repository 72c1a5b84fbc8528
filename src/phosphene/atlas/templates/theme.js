// Before anything is drawn: the colours chosen last, where the browser lets files remember them.
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("phosphene-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage the system's choice holds.
  }
})();
