/* A published demo page, on the site or exported. */

import { find } from "../common/dom.js";
import { Demo } from "./demo.js";

const root = find("[data-demo]");
if (window.location.hash === "#embed") root.dataset.embed = "";
if (root.querySelector("[data-player]")) new Demo(root);
if ("embed" in root.dataset && window.parent !== window) {
  // The element <earshot-player> of another page makes its frame as high as this.
  new ResizeObserver(() => {
    window.parent.postMessage({ earshot: "height", height: Math.ceil(document.body.getBoundingClientRect().height) }, "*");
  }).observe(document.body);
}
