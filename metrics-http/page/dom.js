// Builds elements. Text only ever becomes a text node: names and labels may hold anything.

/**
 * A new element. Attributes: `class` may be a list, `on` holds listeners, a boolean or null sets or leaves out;
 * children: elements, texts, or null for none.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === "class") made.classList.add(...[value].flat());
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Whether a key press is meant for a field that takes text. */
export function isTyping(event) {
  return event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]") !== null;
}
