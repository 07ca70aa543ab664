// The ways in which pictures are handed over: chosen, pasted, dropped.

import { find } from "./elements.js";

export function takeFiles(add) {
  find("files").addEventListener("change", (event) => {
    add([...event.target.files]);
    event.target.value = "";
  });
  document.addEventListener("paste", (event) => {
    add([...event.clipboardData.files].filter((file) => file.type.startsWith("image/")));
  });
  takeDropped(add);
}

function takeDropped(add) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let over = 0; // elements under what is dragged: entering one comes before leaving the last
  const count = (step) => (event) => {
    if (carriesFiles(event)) over = Math.max(0, over + step);
    find("veil").hidden = !over;
  };
  document.addEventListener("dragenter", count(1));
  document.addEventListener("dragleave", count(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over = 0;
    find("veil").hidden = true;
    add([...event.dataTransfer.files]);
  });
}
