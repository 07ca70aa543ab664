// The camera: its newest frame is sent as soon as the last answer is there, so nothing ever waits in a line.

import { findFacesInFrame } from "./api.js";

const MOST_SIDE = 640; // pixels of what is sent
const QUALITY = 0.85; // of the JPEG
const RATE_OVER = 2000; // milliseconds over which frames are counted
const PATIENCE = 300; // milliseconds before the next try where the server is busy

export class Camera {
  // `told`: found(faces, time), drawn(milliseconds), rate(framesPerSecond), ended(words).
  constructor(video, told) {
    this.video = video;
    this.told = told;
    this.canvas = document.createElement("canvas");
    this.running = null;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.running) this.stop("The camera was switched off, as this tab was hidden.");
    });
    window.addEventListener("pagehide", () => this.stop(""));
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("A browser gives its camera to a page on this very machine, or over https, only. Open http://localhost.");
    }
    const run = { abort: new AbortController(), answered: [] };
    this.running = run;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch (error) {
      if (this.running === run) this.running = null;
      throw new Error(explain(error));
    }
    if (this.running !== run) return stopTracks(stream);
    run.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.running === run && this.stop("The camera was switched off."));
    this.video.srcObject = stream;
    await this.video.play();
    this.ask(run);
    this.draw(run, performance.now());
  }

  stop(words) {
    const run = this.running;
    if (!run) return;
    this.running = null;
    run.abort.abort();
    if (run.stream) stopTracks(run.stream);
    this.video.srcObject = null;
    this.told.ended(words);
  }

  async ask(run) {
    while (this.running === run) {
      await this.nextFrame();
      if (this.running !== run) return;
      try {
        const blob = await this.grab();
        const answer = await findFacesInFrame(blob, run.abort.signal);
        if (this.running !== run) return;
        const now = performance.now();
        this.told.found(answer.faces.map((face) => ({ ...face, box: this.asShares(face.box) })), now);
        run.answered.push(now);
        run.answered = run.answered.filter((time) => now - time <= RATE_OVER);
      } catch (error) {
        if (this.running !== run || error.name === "AbortError") return;
        if (error.status !== 503) return this.stop(error.message);
        await new Promise((resolve) => setTimeout(resolve, PATIENCE));
      }
    }
  }

  nextFrame() {
    return new Promise((resolve) => {
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(resolve);
      else requestAnimationFrame(resolve);
      setTimeout(resolve, 1000); // a camera that stands still must not hold up its own end
    });
  }

  grab() {
    const scale = Math.min(1, MOST_SIDE / Math.max(this.video.videoWidth, this.video.videoHeight));
    this.canvas.width = Math.max(1, Math.round(this.video.videoWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.video.videoHeight * scale));
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve, reject) => {
      this.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The camera gave no picture."))), "image/jpeg", QUALITY);
    });
  }

  asShares([left, top, width, height]) {
    return [left / this.canvas.width, top / this.canvas.height, width / this.canvas.width, height / this.canvas.height];
  }

  draw(run, before) {
    requestAnimationFrame((now) => {
      if (this.running !== run) return;
      this.told.drawn(Math.max(0, now - before));
      const counted = run.answered.filter((time) => performance.now() - time <= RATE_OVER);
      const over = counted.length > 1 ? counted.at(-1) - counted[0] : 0;
      this.told.rate(over ? (1000 * (counted.length - 1)) / over : 0);
      this.draw(run, now);
    });
  }
}

function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}

function explain(error) {
  if (error.name === "NotAllowedError") return "The camera was not allowed. The browser's settings for this page can change that.";
  if (error.name === "NotFoundError") return "No camera was found.";
  return "The camera cannot be used. Does another program have it?";
}
