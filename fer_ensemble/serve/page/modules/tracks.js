// Faces from frame to frame of the camera: which is which, where its outline is drawn, what it shows over time.

const SAME = 1.5; // widths of a face that it moves at most from one frame to the next
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
    const known = pair(this.list, faces);
    for (const face of faces) this.follow(known.get(face) ?? this.begin(face, time), face, time);
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

// Pairs tracks and faces, the nearest first. Returns a map from face to track.
function pair(tracks, faces) {
  const pairs = tracks.flatMap((track) => faces.map((face) => ({ track, face, away: distance(track.aim, face.box) })));
  const known = new Map();
  const taken = new Set();
  for (const { track, face, away } of pairs.sort((one, other) => one.away - other.away)) {
    if (away > SAME || known.has(face) || taken.has(track)) continue;
    known.set(face, track);
    taken.add(track);
  }
  return known;
}

// Returns how far apart the middles of two boxes are, in widths.
function distance(one, other) {
  const across = one[0] + one[2] / 2 - other[0] - other[2] / 2;
  const along = one[1] + one[3] / 2 - other[1] - other[3] / 2;
  return Math.max(Math.abs(across) / Math.max(one[2], other[2]), Math.abs(along) / Math.max(one[3], other[3]));
}
