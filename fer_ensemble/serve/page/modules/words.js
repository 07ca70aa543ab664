// How numbers and names are written.

const SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const FINE_SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat("en");

export const percent = (share) => SHARE.format(share);
export const finePercent = (share) => FINE_SHARE.format(share);
export const number = (value) => WHOLE.format(value);
export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
export const faces = (count) => (count === 0 ? "no face" : count === 1 ? "1 face" : `${count} faces`);
export const megabytes = (bytes) => `${WHOLE.format(Math.round(bytes / 1e5) / 10)} MB`;
export const label = (face) => `${face.expression} ${percent(face.probability)}${face.unsure ? ", unsure" : ""}`;
