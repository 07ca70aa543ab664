// The page about the model: its card where it has one, what its file says of itself, and the limits of all such models.

import { make } from "./elements.js";
import { renderMarkdown } from "./markdown.js";
import { capital, finePercent, number } from "./words.js";

const LIMITS = [
  "It says which of a few expressions a face shows in one picture. What somebody feels or means does not follow from that.",
  "Its classes and its training faces are those of FER2013: pictures from the web, labelled quickly, often debatable. For about a third of them, the most frequent of ten other people's answers is another one.",
  "How well it does on faces of one age, skin, culture or pose against another was not measured, as FER2013 does not tell them.",
  "Small, turned, covered or badly lit faces are read less well, and may not be found at all.",
  "To infer people's emotions at work or in schools is forbidden in the European Union (AI Act, article 5(1)(f)). Do not decide about people with it.",
];

const LONGEST = 400; // characters of a value; a longer one is left to /api/model
const LEFT_OUT = ["class_names", "format_version", "unsure_below", "crop_landmarks"];

export function showModel(box, model) {
  if (box.childElementCount) return;
  const card = model.card ? renderMarkdown(model.card.replace(/^# .*\n/, "")) : [];
  box.replaceChildren(
    make("p", { className: "lead-in" }, `It tells ${model.class_names.length} expressions apart: ${list(model.class_names)}. `,
      `An answer whose probability is below ${finePercent(model.unsure_below)} is called unsure.`),
    ...card,
    ...(card.length ? [] : [make("h2", {}, "What it cannot do"), make("ul", {}, ...LIMITS.map((limit) => make("li", {}, limit)))]),
    make("h2", {}, "What the model says of itself"),
    make("details", {}, make("summary", {}, "Calibration, settings of the training, versions"), showFacts(model.about)),
    make("h2", {}, "What this server takes"),
    make("p", {}, `Files of up to ${number(Math.round(model.limits.bytes / 1e5) / 10)} MB and ${number(model.limits.pixels / 1e6)} megapixels; `,
      `of the faces in a picture, the ${number(model.limits.faces)} largest. Version ${model.version}.`),
  );
}

function list(words) {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function showFacts(facts) {
  const shown = Object.entries(facts).filter(([name]) => !LEFT_OUT.includes(name)).flatMap(([name, value]) => flatten(name, value));
  return make("dl", { className: "facts" }, ...shown.flatMap(([name, value]) => [make("dt", {}, capital(name.replaceAll("_", " "))), make("dd", {}, value)]));
}

function flatten(name, value) {
  if (value === null || value === undefined || value === "") return [];
  if (typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([inner, one]) => flatten(inner, one));
  }
  const text = typeof value === "number" ? String(Number(value.toPrecision(6))) : Array.isArray(value) ? value.map(tell).join(", ") : String(value);
  return [[name, text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text]];
}

const tell = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
