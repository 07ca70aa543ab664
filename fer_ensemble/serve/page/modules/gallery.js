// Small pictures of all that were given.

import { make } from "./elements.js";
import { faces } from "./words.js";

const WIDTH = 240;
const HEIGHT = 180;

export class Gallery {
  constructor(list, choose, remove) {
    this.list = list;
    this.items = new Map();
    list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (!item) return;
      (event.target.closest(".remove") ? remove : choose)(item.picture);
    });
    list.addEventListener("keydown", (event) => {
      const item = event.target.closest("li");
      if (event.key === "Delete" && item) remove(item.picture);
    });
  }

  show(pictures, chosen) {
    for (const [picture, item] of this.items) {
      if (!pictures.includes(picture)) {
        item.remove();
        this.items.delete(picture);
      }
    }
    for (const picture of pictures) {
      const item = this.items.get(picture) || this.add(picture);
      const thumb = item.firstChild;
      thumb.setAttribute("aria-current", String(picture === chosen));
      const found = thumb.querySelector(".found");
      found.textContent = describe(picture);
      found.classList.toggle("wrong", picture.state === "wrong");
      if (picture.bitmap && !item.drawn) {
        drawThumb(thumb.querySelector("canvas"), picture.bitmap);
        item.drawn = true;
      }
    }
  }

  add(picture) {
    const thumb = make(
      "button", { type: "button", className: "thumb" },
      make("canvas", { width: WIDTH, height: HEIGHT, "aria-hidden": "true" }),
      make("span", { className: "name" }, picture.name), make("span", { className: "found" }),
    );
    const remove = make("button", { type: "button", className: "remove", "aria-label": `Remove ${picture.name}` }, "×");
    const item = make("li", {}, thumb, remove);
    item.picture = picture;
    this.items.set(picture, item);
    this.list.append(item);
    return item;
  }
}

function describe(picture) {
  if (picture.state === "done") return faces(picture.faces.length);
  return picture.state === "wrong" ? "cannot be read" : "looking …";
}

function drawThumb(canvas, bitmap) {
  const scale = Math.max(WIDTH / bitmap.width, HEIGHT / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height);
}
