// The outlines of faces over a picture or the camera: one button each, so that a keyboard reaches them, too.

import { make } from "./elements.js";
import { label } from "./words.js";

export class Outlines {
  constructor(box, choose) {
    this.box = box;
    this.buttons = new Map();
    box.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) choose(button.faceId);
    });
    box.addEventListener("keydown", (event) => this.move(event));
  }

  // `items`: id, box (left, top, width, height as shares of the picture), face, chosen.
  show(items) {
    const kept = new Set(items.map((item) => item.id));
    for (const [id, button] of this.buttons) {
      if (!kept.has(id)) {
        button.remove();
        this.buttons.delete(id);
      }
    }
    items.forEach((item, place) => {
      const button = this.buttons.get(item.id) || this.add(item.id);
      this.place(button, item.box);
      this.name(button, item, place, items.length);
    });
  }

  add(id) {
    const button = make("button", { type: "button", className: "face" }, make("span", { className: "tag" }));
    button.faceId = id;
    this.buttons.set(id, button);
    this.box.append(button);
    return button;
  }

  place(button, [left, top, width, height]) {
    const style = { left, top, width, height };
    for (const [name, share] of Object.entries(style)) button.style.setProperty(name, `${(100 * share).toFixed(3)}%`);
    button.classList.toggle("below", top < 0.09 && top + height < 0.9);
    button.classList.toggle("inside", top < 0.09 && top + height >= 0.9);
    button.classList.toggle("to-left", left + width / 2 > 0.7);
  }

  name(button, { face, chosen }, place, count) {
    const text = label(face);
    const tag = button.firstChild;
    if (tag.textContent !== text) {
      tag.textContent = text;
      button.setAttribute("aria-label", `Face ${place + 1} of ${count}: ${text}`);
    }
    button.classList.toggle("unsure", face.unsure);
    const pressed = String(chosen);
    if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
  }

  // Arrow keys go from face to face.
  move(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...this.box.children];
    const here = buttons.indexOf(document.activeElement);
    if (here < 0) return;
    event.preventDefault();
    const next = buttons[(here + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  }
}
