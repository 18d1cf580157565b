// Light or dark: as the system has it, or as this browser was told.

const KEY = "theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const TITLES = { auto: "as the system has them", light: "light", dark: "dark" };
// As text, not as pictures in colours of their own.
const SIGNS = { auto: "\u25d0", light: "\u2600\ufe0e", dark: "\u263e\ufe0e" };

/** Lets a button step through the themes; `changed()`: the colours are others now. */
export function bindTheme(button, changed) {
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = SIGNS[theme];
    button.title = `Colours: ${TITLES[theme]}`;
    button.setAttribute("aria-label", button.title);
    changed();
  };
  let theme = read();
  show(theme);
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing still changes its colours.
    }
    show(theme);
  });
}

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    return Object.hasOwn(NEXT, kept ?? "") ? kept : "auto";
  } catch {
    return "auto";
  }
}
