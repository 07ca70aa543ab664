// Starts the page: what is shown, and what each button does.

import { showModel } from "./about.js";
import * as api from "./api.js";
import { Camera } from "./camera.js";
import { Details } from "./details.js";
import { downloadAnnotated, downloadCsv, downloadJson } from "./downloads.js";
import { find } from "./elements.js";
import { Gallery } from "./gallery.js";
import { takeFiles } from "./handing.js";
import { showInterface } from "./interface.js";
import { Outlines } from "./outlines.js";
import { Pictures } from "./pictures.js";
import { loadModel } from "./token.js";
import { Tracks } from "./tracks.js";
import { followAddress } from "./views.js";
import { faces as countFaces, label, number } from "./words.js";

const SAID_EVERY = 3000; // milliseconds between what a screen reader is told of the camera

api.takeToken();
const model = await loadModel((words) => say(words, "wrong"));
const pictures = new Pictures(model.limits, changed);
const details = new Details(find("details"), model.class_names, model.unsure_below);
const outlines = new Outlines(find("outlines"), chooseFace);
const gallery = new Gallery(find("gallery"), show, remove);
const video = find("video");
const camera = new Camera(video, { found, drawn, rate: showRate, ended });
let shown = null; // the picture on the stage
let tracks = null; // while the camera runs
let chosenTrack = null;
let said = { text: "", time: 0 };

// What is only said is for screen readers, once there is a picture: those who see have seen it.
function say(text, how = "said") {
  const status = find("status");
  status.textContent = text;
  status.classList.toggle("wrong", how === "wrong");
  status.classList.toggle("shown", how === "shown");
}

// Pictures.

function add(files) {
  if (!files.length) return;
  if (find("view-faces").hidden) location.hash = "#faces";
  camera.stop("");
  const added = pictures.add(files);
  say(added.length === 1 ? `Looking for faces in ${added[0].name} …` : `Looking for faces in ${number(added.length)} pictures …`);
  show(added[0]);
}

function remove(picture) {
  const place = pictures.list.indexOf(picture);
  pictures.remove(picture);
  if (picture === shown) show(pictures.list[Math.min(place, pictures.list.length - 1)] ?? null);
  else refresh();
}

function changed(picture) {
  if (picture === shown) show(picture);
  else refresh();
  if (picture.state === "wrong") say(`${picture.name}: ${picture.message}`, "wrong");
  else if (picture.state === "done") say(describe(picture));
}

function describe(picture) {
  const more = picture.leftOut ? `, and ${number(picture.leftOut)} more that are left out` : "";
  return `${picture.name}: ${countFaces(picture.faces.length)}${more}`;
}

function show(picture) {
  shown = picture;
  if (picture && find("picture").shows !== picture && picture.bitmap) drawPicture(picture);
  refresh();
}

function drawPicture(picture) {
  const canvas = find("picture");
  canvas.width = picture.bitmap.width;
  canvas.height = picture.bitmap.height;
  canvas.getContext("2d").drawImage(picture.bitmap, 0, 0);
  canvas.shows = picture;
}

function refresh() {
  const live = Boolean(tracks);
  const busy = live || pictures.list.length > 0;
  find("welcome").hidden = busy;
  find("workspace").hidden = !busy;
  find("picture-tools").hidden = live;
  find("camera-tools").hidden = !live;
  video.hidden = !live;
  find("picture").hidden = live;
  find("gallery-box").hidden = live || pictures.list.length < 2;
  const some = pictures.list.some((picture) => picture.faces.length);
  for (const button of document.querySelectorAll("[data-needs=faces]")) button.disabled = !some;
  gallery.show(pictures.list, shown);
  if (!live) refreshStage();
}

function refreshStage() {
  const canvas = find("picture");
  find("frame").hidden = Boolean(shown) && !shown.bitmap;
  if (!shown) {
    outlines.show([]);
    find("caption").textContent = "";
    return details.show(null);
  }
  const words = { waiting: "Looking for faces …", wrong: shown.message, done: "No face was found in this picture. Faces smaller than about 10 pixels, or turned away, are missed." }[shown.state];
  find("caption").textContent = shown.state === "done" ? describe(shown) : shown.name;
  if (shown.bitmap) {
    find("frame").style.setProperty("--ratio", shown.bitmap.width / shown.bitmap.height);
    canvas.setAttribute("aria-label", describe(shown));
    const { width, height } = shown.bitmap;
    outlines.show(shown.faces.map((face, index) => ({
      id: `${shown.id}-${index}`, face, chosen: index === shown.chosen,
      box: [face.box[0] / width, face.box[1] / height, face.box[2] / width, face.box[3] / height],
    })));
  }
  return details.show(shown.faces[shown.chosen] ?? null, shown.chosen, shown.faces.length, words);
}

function chooseFace(id) {
  if (tracks) {
    chosenTrack = id;
    return refreshTracks();
  }
  shown.chosen = Number(id.split("-")[1]);
  return refreshStage();
}

// The camera.

async function startCamera() {
  say("");
  try {
    tracks = new Tracks(model.unsure_below);
    tracks.smooth = find("smooth").checked;
    outlines.show([]);
    details.show(null, 0, 0, "Waiting for the camera …");
    find("frame").hidden = false;
    find("caption").textContent = "";
    refresh();
    await camera.start();
    find("frame").style.setProperty("--ratio", video.videoWidth / video.videoHeight || 4 / 3);
    document.querySelector("[data-do=stop]").focus();
  } catch (error) {
    ended(error.message, "wrong");
  }
}

function found(records, time) {
  if (!tracks) return;
  tracks.update(records, time);
  refreshTracks();
  const current = tracks.list.find((track) => track.id === chosenTrack) ?? tracks.list[0];
  const text = current ? label(current.face) : "No face";
  if (text.split(" ")[0] !== said.text.split(" ")[0] && time - said.time > SAID_EVERY) {
    said = { text, time };
    say(text);
  }
}

function refreshTracks() {
  const place = Math.max(0, tracks.list.findIndex((track) => track.id === chosenTrack));
  const track = tracks.list[place];
  showTracks();
  details.show(track?.face ?? null, place, tracks.list.length, "No face is in sight.");
}

function showTracks() {
  const chosen = tracks.list.some((track) => track.id === chosenTrack) ? chosenTrack : tracks.list[0]?.id;
  outlines.show(tracks.list.map(({ id, face, box }) => ({ id, face, chosen: id === chosen, box: [1 - box[0] - box[2], ...box.slice(1)] })));
}

function drawn(milliseconds) {
  tracks.glide(milliseconds);
  showTracks();
}

function showRate(rate) {
  const text = String(Math.round(rate));
  if (find("rate").textContent !== text) find("rate").textContent = text;
}

function ended(words, how = "shown") {
  tracks = null;
  chosenTrack = null;
  outlines.show([]);
  show(shown);
  say(words, how);
}

// What people do.

const DEEDS = {
  choose: () => find("files").click(),
  camera: startCamera,
  stop: () => camera.stop(""),
  csv: () => downloadCsv(pictures.list, model),
  json: () => downloadJson(pictures.list, model),
  annotated: () => downloadAnnotated(pictures.list).catch((error) => say(error.message, "wrong")),
  clear: () => {
    for (const picture of [...pictures.list]) pictures.remove(picture);
    say("");
    show(null);
  },
};

document.addEventListener("click", (event) => DEEDS[event.target.closest("[data-do]")?.dataset.do]?.());
find("smooth").addEventListener("change", (event) => {
  if (tracks) tracks.smooth = event.target.checked;
});
takeFiles(add);
followAddress({
  faces: () => {},
  model: () => {
    camera.stop("");
    showModel(find("model"), model);
  },
  interface: () => {
    camera.stop("");
    showInterface(find("interface"));
  },
});
refresh();
document.documentElement.dataset.ready = "true";
