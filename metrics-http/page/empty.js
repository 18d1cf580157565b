// The page of a store without metrics: how a first point gets in.

import { element } from "./dom.js";
import { hasToken } from "./token.js";

/** Fills the page of an empty store: how a first point gets in. */
export function fillEmptyStore(root) {
  const origin = location.origin;
  const body = '{"name":"temperature","value":21.5,"labels":{"room":"kitchen"}}';
  // The token itself is not shown: commands are copied and kept.
  const token = hasToken() ? `  -H "Authorization: Bearer $METRICS_TOKEN" \\\n` : "";
  const point = `curl -X POST ${origin}/v1/metrics \\\n${token}  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
  root.replaceChildren(
    element("h2", {}, "No metrics yet"),
    element("p", {}, "This store is empty. Post a first point:"),
    commandBlock(point),
    element("p", {}, "Or stop the server and let it measure this machine: processor, memory, disks, network."),
    commandBlock("metrics-cli serve --collect"),
    element("p", {}, "Or let it make some up, twenty metrics at three points a second each:"),
    commandBlock("metrics-cli serve --simulate"),
    element("p", { class: "dim" }, "This page looks again every few seconds and opens the first metric by itself."),
  );
}

function commandBlock(command) {
  const status = element("span", { role: "status" }, "Copy");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      status.textContent = "Copied";
    } catch {
      status.textContent = "Select and copy";
    }
  };
  return element(
    "div",
    { class: "command" },
    element("pre", { tabindex: "0" }, command),
    element("button", { type: "button", on: { click: copy } }, status),
  );
}
