// A search box that picks several of many: a combobox with a list, and a chip for each thing picked.
// It follows the ARIA pattern "editable combobox with list autocomplete": focus stays in the field.

import { element } from "./dom.js";

const CHUNK = 100;

/** The options that hold every word of a text: those that start with it first, then by where it stands. */
export function search(options, text) {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return options;
  const found = [];
  for (const option of options) {
    const lower = option.toLowerCase();
    if (words.every((word) => lower.includes(word))) found.push({ option, at: lower.indexOf(words[0]) });
  }
  // The sort is stable: options that are equally good stay in the order they came in.
  return found.sort((a, b) => a.at - b.at).map(({ option }) => option);
}

/**
 * A picker in `root`, which holds its label. `settings`: id, label, placeholder, hint, most, options() -> texts,
 * selected() -> texts, change(texts), accept(text) -> whether a text that is no option may be picked (optional).
 */
export class Picker {
  #matches = [];
  #active = -1;
  #rendered = 0;

  constructor(root, settings) {
    this.settings = settings;
    const { id, label, placeholder, hint } = settings;
    this.input = element("input", {
      id,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "none",
      placeholder,
      "aria-expanded": "false",
      "aria-controls": `${id}-list`,
      "aria-autocomplete": "list",
      enterkeyhint: "done",
    });
    this.list = element("ul", {
      id: `${id}-list`,
      role: "listbox",
      "aria-label": label,
      "aria-multiselectable": "true",
    });
    this.foot = element("div", { class: "picker-foot" });
    this.hint = hint;
    this.popup = element("div", { class: "popup", hidden: true }, this.list, this.foot);
    this.chips = element("div", { class: "chips" });
    this.box = element("div", { class: "picker-box" }, this.chips, this.input);
    root.append(this.box, this.popup);
    this.#listen(root);
    this.render();
  }

  #listen(root) {
    this.box.addEventListener("pointerdown", (event) => {
      if (event.target !== this.box && event.target !== this.chips) return;
      event.preventDefault();
      this.input.focus();
      this.#open();
    });
    this.input.addEventListener("input", () => this.#open());
    this.input.addEventListener("click", () => this.#open());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    // The list must not take the focus from the field.
    this.popup.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option)
        this.#pick(
          this.#matches[Number(option.dataset.index)],
          event.shiftKey || event.target.closest(".only") !== null,
        );
    });
    this.list.addEventListener("scroll", () => {
      if (this.list.scrollTop + this.list.clientHeight > this.list.scrollHeight - 200) this.#more();
    });
    root.addEventListener("focusout", (event) => {
      if (!root.contains(event.relatedTarget)) this.close();
    });
  }

  get isOpen() {
    return !this.popup.hidden;
  }

  /** Draws the chips anew, and the list where it is open. */
  render() {
    const picked = this.settings.selected();
    this.chips.replaceChildren(
      ...picked.map((text) =>
        element(
          "span",
          { class: "chip" },
          element("span", { class: "chip-text", title: text }, text),
          element(
            "button",
            {
              type: "button",
              class: "chip-remove",
              "aria-label": `Remove ${text}`,
              on: {
                click: () => {
                  this.settings.change(picked.filter((other) => other !== text));
                  this.input.focus();
                },
              },
            },
            "\u00d7",
          ),
        ),
      ),
    );
    if (this.isOpen) this.#fill();
  }

  #open() {
    if (!this.isOpen) this.list.scrollTop = 0;
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#active = this.input.value.trim() === "" ? -1 : 0;
    this.#fill();
  }

  /** Closes the list. */
  close() {
    this.popup.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.#active = -1;
    this.input.value = "";
  }

  #fill() {
    const text = this.input.value.trim();
    const { options, accept, id } = this.settings;
    const all = options();
    this.#matches = search(all, text);
    if (text !== "" && accept?.(text) && !all.includes(text)) this.#matches = [text, ...this.#matches];
    const scroll = this.list.scrollTop;
    const wanted = Math.max(CHUNK, this.#active + 1, this.#rendered);
    this.list.replaceChildren();
    this.#rendered = 0;
    while (this.#rendered < Math.min(wanted, this.#matches.length)) this.#more();
    this.list.scrollTop = scroll;
    this.list.hidden = this.#matches.length === 0;
    this.foot.textContent = this.#footText(all.length, text);
    this.#mark(`${id}-option`);
  }

  #footText(total, text) {
    if (total === 0 && text === "") return this.settings.nothing ?? "Nothing to choose from yet.";
    if (this.#matches.length === 0) return `Nothing matches \u201c${text}\u201d.`;
    const count =
      text === ""
        ? `${total.toLocaleString("en-US")} in all`
        : `${this.#matches.length.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}`;
    return `${count} \u00b7 ${this.hint}`;
  }

  #more() {
    const picked = new Set(this.settings.selected());
    const end = Math.min(this.#matches.length, this.#rendered + CHUNK);
    const items = [];
    for (let i = this.#rendered; i < end; i += 1) {
      const text = this.#matches[i];
      items.push(
        element(
          "li",
          {
            id: `${this.settings.id}-option-${i}`,
            role: "option",
            "aria-selected": String(picked.has(text)),
            "data-index": i,
            title: text,
          },
          element("span", { class: "check", "aria-hidden": "true" }),
          element("span", { class: "option-text" }, text),
          element("span", { class: "only", "aria-hidden": "true" }, "only"),
        ),
      );
    }
    this.list.append(...items);
    this.#rendered = end;
  }

  #mark(prefix) {
    for (const item of this.list.querySelectorAll(".active")) item.classList.remove("active");
    const item = document.getElementById(`${prefix}-${this.#active}`);
    if (!item) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    item.classList.add("active");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  #pick(text, only) {
    if (text === undefined) return;
    const picked = this.settings.selected();
    let next = picked.includes(text) ? picked.filter((other) => other !== text) : [...picked, text];
    if (only) next = [text];
    if (next.length > this.settings.most) {
      this.foot.textContent = `At most ${this.settings.most}: remove one first.`;
      return;
    }
    if (this.input.value !== "") this.input.select();
    this.settings.change(next);
    if (only) this.close();
  }

  #step(count) {
    if (!this.isOpen) this.#open();
    const last = this.#matches.length - 1;
    const next = this.#active + count;
    this.#active = count === 1 && next > last ? 0 : count === -1 && next < 0 ? last : Math.min(last, Math.max(0, next));
    while (this.#rendered <= this.#active && this.#rendered < this.#matches.length) this.#more();
    this.#mark(`${this.settings.id}-option`);
  }

  #key(event) {
    const act = {
      ArrowDown: () => this.#step(1),
      ArrowUp: () => this.#step(-1),
      PageDown: () => this.#step(10),
      PageUp: () => this.#step(-10),
      Enter: () => {
        if (!this.isOpen) this.#open();
        else this.#pick(this.#matches[Math.max(0, this.#active)], event.shiftKey);
      },
      Escape: () => this.close(),
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (event.key === "Backspace" && this.input.value === "" && !event.repeat) {
      const picked = this.settings.selected();
      if (picked.length > 0) this.settings.change(picked.slice(0, -1));
    }
  }
}
