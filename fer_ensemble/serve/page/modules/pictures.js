// The pictures that were given: each is sent, and keeps what was found in it.

import { findFaces } from "./api.js";
import { megabytes } from "./words.js";

const AT_A_TIME = 2;

let lastId = 0;

export class Pictures {
  // `changed(picture)` is called whenever something about a picture is new.
  constructor(limits, changed) {
    this.list = [];
    this.limits = limits;
    this.changed = changed;
    this.waiting = [];
    this.working = 0;
  }

  add(files) {
    const added = [...files].map((file) => {
      lastId += 1;
      return { id: lastId, file, name: file.name || `picture ${lastId}`, state: "waiting", faces: [], chosen: 0, leftOut: 0, message: "", bitmap: null };
    });
    this.list.push(...added);
    this.waiting.push(...added);
    while (this.working < AT_A_TIME && this.waiting.length) this.work();
    return added;
  }

  remove(picture) {
    this.list = this.list.filter((other) => other !== picture);
    this.waiting = this.waiting.filter((other) => other !== picture);
    picture.bitmap?.close();
    picture.bitmap = null;
    picture.removed = true;
  }

  async work() {
    this.working += 1;
    const picture = this.waiting.shift();
    await this.read(picture);
    this.working -= 1;
    if (this.waiting.length) this.work();
  }

  async read(picture) {
    try {
      if (picture.file.size > this.limits.bytes) {
        throw new Error(`This file has ${megabytes(picture.file.size)}; at most ${megabytes(this.limits.bytes)} are taken.`);
      }
      picture.bitmap = await createImageBitmap(picture.file).catch(() => null);
      if (!picture.removed) this.changed(picture);
      const answer = await findFaces(picture.file);
      if (picture.removed) return;
      if (!picture.bitmap) throw new Error("The server can read this file, but this browser cannot show it.");
      picture.faces = answer.faces.map((face) => ({ ...face, file: picture.name }));
      picture.leftOut = answer.left_out;
      picture.state = "done";
    } catch (error) {
      picture.state = "wrong";
      picture.message = error.message;
      picture.status = error.status;
    }
    if (picture.removed) picture.bitmap?.close();
    else this.changed(picture);
  }
}
