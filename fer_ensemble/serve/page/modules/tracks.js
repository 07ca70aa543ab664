// Faces from frame to frame of the camera: which is which, where its outline is drawn, what it shows over time.

const SAME = 0.2; // overlap (intersection over union) from which two boxes are of one face
const KEPT = 500; // milliseconds that a face may be missed
const MOVING = 60; // milliseconds in which an outline covers 63 % of its way
const SMOOTHING = 250; // milliseconds over which expressions are averaged

let lastId = 0;

export class Tracks {
  constructor(unsureBelow) {
    this.unsureBelow = unsureBelow;
    this.list = [];
    this.smooth = true;
  }

  // Takes what was found in a frame: records whose boxes are shares of the picture.
  update(faces, time) {
    const free = new Set(this.list);
    for (const face of faces) {
      let best = null;
      let most = SAME;
      for (const track of free) {
        const overlap = intersectionOverUnion(track.aim, face.box);
        if (overlap > most) [best, most] = [track, overlap];
      }
      if (best) free.delete(best);
      else best = this.begin(face, time);
      this.follow(best, face, time);
    }
    this.list = this.list.filter((track) => time - track.seen <= KEPT);
    this.list.sort((one, other) => other.aim[2] * other.aim[3] - one.aim[2] * one.aim[3]);
  }

  begin(face, time) {
    lastId += 1;
    const track = { id: lastId, box: [...face.box], aim: face.box, seen: time, probabilities: null };
    this.list.push(track);
    return track;
  }

  follow(track, face, time) {
    const share = this.smooth && track.probabilities ? 1 - Math.exp(-(time - track.seen) / SMOOTHING) : 1;
    const before = track.probabilities ?? face.probabilities;
    track.probabilities = Object.fromEntries(
      Object.entries(face.probabilities).map(([name, value]) => [name, before[name] + share * (value - before[name])]),
    );
    const [expression, probability] = Object.entries(track.probabilities).reduce((one, other) => (other[1] > one[1] ? other : one));
    track.face = { ...face, probabilities: track.probabilities, expression, probability, unsure: probability < this.unsureBelow };
    track.aim = face.box;
    track.seen = time;
  }

  // Moves the outlines towards where the faces are, by so many milliseconds.
  glide(milliseconds) {
    const share = 1 - Math.exp(-milliseconds / MOVING);
    for (const track of this.list) track.box = track.box.map((value, index) => value + share * (track.aim[index] - value));
  }
}

export function intersectionOverUnion(one, other) {
  const width = Math.min(one[0] + one[2], other[0] + other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[1] + one[3], other[1] + other[3]) - Math.max(one[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (one[2] * one[3] + other[2] * other[3] - both);
}
