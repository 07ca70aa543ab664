// Talks to the server: with the token where there is one, patiently where it is busy.

const KEPT_AS = "fer-ensemble-token";
const MOST_TRIES = 20;

export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The address that the server shows ends in #token=...: taken from there once, so that it stands nowhere.
export function takeToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    setToken(decodeURIComponent(given[1]));
    history.replaceState(null, "", location.pathname);
  }
}

export function setToken(token) {
  sessionStorage.setItem(KEPT_AS, token);
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem(KEPT_AS);
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new ServerError(answer.status, told.error || `The server refused this (${answer.status}).`);
}

async function askPatiently(path, options) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (error.status !== 503 || tries === MOST_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 + 1000 * Math.random()));
    }
  }
}

export const model = () => askPatiently("/api/model");

export const description = () => askPatiently("/openapi.json");

// The faces of a picture file, with their crops and what in them spoke for the expression.
export const findFaces = (file) =>
  askPatiently("/api/faces?crops=true&explanations=true", { method: "POST", body: file, headers: typeOf(file) });

// The faces of one frame of the camera: never asked twice, as the next frame is newer.
export const findFacesInFrame = (blob, signal) =>
  ask("/api/faces?crops=true&detection_size=320", { method: "POST", body: blob, headers: typeOf(blob), signal });

const typeOf = (blob) => ({ "Content-Type": blob.type || "application/octet-stream" });
