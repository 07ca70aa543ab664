// Which of the three views is shown stands in the address, so that "back" goes back.

import { find } from "./elements.js";

// `views`: by name, what is called when one is shown.
export function followAddress(views) {
  const show = (isFirst) => {
    if (location.hash === "#main") return; // the link that skips the menu
    const name = Object.hasOwn(views, location.hash.slice(1)) ? location.hash.slice(1) : Object.keys(views)[0];
    for (const other of Object.keys(views)) find(`view-${other}`).hidden = other !== name;
    for (const link of document.querySelectorAll(".top nav a")) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    views[name]();
    if (!isFirst) find("main").focus();
  };
  window.addEventListener("hashchange", () => show(false));
  show(true);
}
