// Draws a picture with its faces outlined and named, at its full size.

import { label } from "./words.js";

const DARK = "rgba(12, 22, 24, .84)";

export function annotate(bitmap, faces) {
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const unit = Math.max(bitmap.width, bitmap.height) / 1000;
  const line = Math.max(2, 2.5 * unit);
  const letter = Math.max(13, 17 * unit);
  pen.font = `600 ${letter}px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif`;
  pen.textBaseline = "middle";
  for (const face of faces) {
    const [left, top, width, height] = face.box;
    outline(pen, left, top, width, height, line, face.unsure);
    const text = label(face);
    const [tagWidth, tagHeight] = [pen.measureText(text).width + 0.9 * letter, 1.5 * letter];
    const x = Math.max(0, Math.min(left, bitmap.width - tagWidth));
    const y = top >= tagHeight + line ? top - tagHeight - line : Math.max(0, Math.min(top + height + line, bitmap.height - tagHeight));
    pen.setLineDash([]);
    pen.fillStyle = DARK;
    pen.beginPath();
    pen.roundRect(x, y, tagWidth, tagHeight, 0.35 * letter);
    pen.fill();
    pen.fillStyle = "#fff";
    pen.fillText(text, x + 0.45 * letter, y + 0.53 * tagHeight);
  }
  return canvas;
}

function outline(pen, left, top, width, height, line, dashed) {
  for (const [style, thickness] of [[DARK, 2 * line], ["#fff", line]]) {
    pen.strokeStyle = style;
    pen.lineWidth = thickness;
    pen.setLineDash(dashed && style === "#fff" ? [3 * line, 2 * line] : []);
    pen.beginPath();
    pen.roundRect(left, top, width, height, Math.min(8 * line, width / 4));
    pen.stroke();
  }
}
