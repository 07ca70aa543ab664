// The panel of the chosen face: its expression, a bar for each class, and the pixels that the network saw.

import { make } from "./elements.js";
import { capital, percent } from "./words.js";

const SIDE = 48;
// What spoke for the expression and against it, as fer-ensemble label --explain draws it.
const FOR = [214, 39, 40];
const AGAINST = [31, 119, 180];
const STRONGEST = 0.75;

export class Details {
  constructor(box, classNames, unsureBelow) {
    this.box = box;
    this.unsureBelow = unsureBelow;
    this.which = make("p", { className: "which" });
    this.expression = make("span");
    this.probability = make("small");
    this.unsure = make(
      "p", { className: "unsure-note", hidden: true },
      make("strong", {}, "Unsure. "), `The best guess is below ${percent(unsureBelow)}: take it as no answer.`,
    );
    this.rows = new Map(classNames.map((name) => [name, makeRow(name)]));
    this.crop = make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": "The 48 by 48 grey pixels that the network saw" });
    this.explained = make("input", { type: "checkbox" });
    this.explained.addEventListener("change", () => this.draw());
    this.why = make("label", { className: "why" }, this.explained, " Show what spoke for it (red) and against it (blue)");
    this.found = make(
      "div", {},
      this.which,
      make("h2", {}, this.expression, this.probability),
      this.unsure,
      make("ul", { className: "bars", "aria-label": "Probability of each expression" }, ...[...this.rows.values()].map((row) => row.item)),
      make(
        "div", { className: "crop" },
        this.crop,
        make(
          "div", {},
          make("p", {}, "This is all that the network saw: 48 × 48 grey pixels, aligned by eyes, nose and mouth."),
          this.why,
        ),
      ),
    );
    this.empty = make("p", { className: "empty" });
    box.replaceChildren(this.found, this.empty);
    this.show(null);
  }

  // `face`: a record with its crop, or null with words to say instead.
  show(face, place = 0, count = 0, words = "") {
    this.found.hidden = !face;
    this.empty.hidden = Boolean(face);
    this.empty.textContent = words;
    if (!face) return;
    set(this.which, count > 1 ? `Face ${place + 1} of ${count}` : "The face");
    set(this.expression, capital(face.expression));
    set(this.probability, percent(face.probability));
    this.unsure.hidden = !face.unsure;
    for (const [name, row] of this.rows) {
      const share = face.probabilities[name] ?? 0;
      row.fill.style.setProperty("--share", share);
      set(row.value, percent(share));
      row.item.dataset.probability = share;
      row.item.classList.toggle("best", name === face.expression);
    }
    this.why.hidden = !face.explanation;
    if (face.crop && face.crop !== this.drawn?.crop) this.draw(face);
  }

  draw(face = this.drawn) {
    this.drawn = face;
    if (face) drawCrop(this.crop, face.crop, this.explained.checked ? face.explanation : null);
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function makeRow(name) {
  const fill = make("span", { className: "fill" });
  const value = make("span", { className: "value" });
  const track = make("span", { className: "track", "aria-hidden": "true" }, fill);
  return { fill, value, item: make("li", { data: { name } }, make("span", {}, name), track, value) };
}

function drawCrop(canvas, encoded, explanation) {
  const grey = decode(encoded);
  const spoke = explanation ? new Float32Array(decode(explanation).buffer) : new Float32Array(grey.length);
  const most = Math.max(...spoke.map(Math.abs)) || 1;
  const image = new ImageData(SIDE, SIDE);
  grey.forEach((value, index) => {
    const strength = STRONGEST * Math.abs(spoke[index]) / most;
    const colour = (spoke[index] > 0 ? FOR : AGAINST).map((part) => value * (1 - strength) + part * strength);
    image.data.set([...colour, 255], 4 * index);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const decode = (encoded) => Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
