// What was found, as files: CSV and JSON as `fer-ensemble label` writes them, and pictures with outlines.

import { annotate } from "./annotate.js";
import { make } from "./elements.js";
import { zip } from "./zip.js";

const QUALITY = 0.92;
const SCHEMA_VERSION = 1;
const BEGINNING = ["schema_version", "file", "frame", "time", "face"];
const BOX = ["box_left", "box_top", "box_width", "box_height"];
const LANDMARKS = ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"].flatMap((name) => [`${name}_x`, `${name}_y`]);
const END = ["unsure", "smoothing", "problem"];

export function downloadJson(pictures, model) {
  const { class_names, unsure_below } = model;
  const document = { schema_version: SCHEMA_VERSION, class_names, unsure_below, faces: recordsOf(pictures), problems: problemsOf(pictures) };
  save(new Blob([`${JSON.stringify(document, null, 2)}\n`], { type: "application/json" }), "faces.json");
}

export function downloadCsv(pictures, model) {
  save(new Blob([toCsv(recordsOf(pictures), model.class_names)], { type: "text/csv" }), "faces.csv");
}

export async function downloadAnnotated(pictures) {
  const [files, used] = [[], new Set()];
  for (const picture of pictures.filter((one) => one.bitmap && one.state === "done")) {
    const canvas = annotate(picture.bitmap, picture.faces);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    if (!blob) throw new Error(`${picture.name} is too large to be drawn.`);
    files.push([freeName(picture.name, used), blob]);
  }
  if (files.length === 1) return save(files[0][1], files[0][0]);
  const contents = await Promise.all(files.map(async ([name, blob]) => [name, new Uint8Array(await blob.arrayBuffer())]));
  return save(zip(contents), "annotated.zip");
}

function recordsOf(pictures) {
  return pictures.flatMap((picture) => picture.faces.map(({ crop, explanation, ...record }) => record));
}

function problemsOf(pictures) {
  return pictures.filter((picture) => picture.state === "wrong").map(({ name, message }) => ({ file: name, problem: message }));
}

function toCsv(records, classNames) {
  const columns = [...BEGINNING, ...BOX, ...LANDMARKS, "detector_score", "expression", "probability", ...classNames, ...END];
  const rows = records.map(flatten).map((row) => columns.map((column) => row[column]));
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function flatten({ box, landmarks, probabilities, ...record }) {
  const points = (landmarks ?? []).flat();
  const named = (names, values) => Object.fromEntries(names.map((name, index) => [name, values[index]]));
  return { ...record, ...named(BOX, box), ...named(LANDMARKS, points), ...probabilities };
}

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function freeName(name, used) {
  const stem = `${name.replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|\u0000-\u001f]/g, "_") || "picture"}_faces`;
  let free = `${stem}.jpg`;
  for (let count = 2; used.has(free); count += 1) free = `${stem}_${count}.jpg`;
  used.add(free);
  return free;
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
