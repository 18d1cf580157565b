// What stands in the page's place while the server asks for a token: a form that takes one.

import { element } from "./dom.js";
import { forgetToken, takeToken } from "./token.js";

/** `root`: where the form stands; `check()`: asks the server with the token, and fails where it is not good. */
export class Lock {
  #message = element("p", { class: "lock-message", role: "alert" });
  /** No name and no place to go: a form that is sent by mistake holds nothing. */
  #field = element("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true });
  #remember = element("input", { type: "checkbox", id: "token-remember" });
  #button = element("button", { type: "submit" }, "Open");

  constructor(root, { check, opened }) {
    this.root = root;
    this.check = check;
    this.opened = opened;
  }

  get isShut() {
    return !this.root.hidden;
  }

  /** Asks for a token, and says what was wrong with the one before; "" where there was none. */
  shut(message) {
    if (this.isShut) return;
    this.#message.textContent = message;
    if (this.root.childElementCount === 0) this.#fill();
    this.root.hidden = false;
    this.#field.focus();
  }

  #fill() {
    const submit = (event) => {
      event.preventDefault();
      this.#try();
    };
    const make = "metrics-cli token create --name page --scope read --token-file FILE";
    this.root.append(
      element("h2", {}, "This server asks for a token"),
      element(
        "form",
        { class: "lock-form", on: { submit } },
        element("label", { for: "token" }, "Token with the scope read"),
        element("div", { class: "lock-row" }, this.#field, this.#button),
        element("label", { class: "lock-remember" }, this.#remember, "Remember on this device"),
      ),
      this.#message,
      element("p", { class: "dim" }, "Whoever runs the server makes one with:"),
      element("div", { class: "command" }, element("pre", { tabindex: "0" }, make)),
      element("p", { class: "dim" }, "It is kept for this tab, or on this device if you say so, and in no address."),
    );
  }

  async #try() {
    if (!takeToken(this.#field.value.trim(), this.#remember.checked)) {
      this.#message.textContent = "This is no token: it has signs that none has.";
      return;
    }
    this.#button.disabled = true;
    try {
      await this.check();
      this.#field.value = "";
      this.#message.textContent = "";
      this.root.hidden = true;
      this.opened();
    } catch (error) {
      forgetToken();
      this.#message.textContent = error.message;
    } finally {
      this.#button.disabled = false;
    }
  }
}
