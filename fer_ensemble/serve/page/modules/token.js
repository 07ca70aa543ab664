// Asks for the token where the server wants one.

import * as api from "./api.js";
import { find } from "./elements.js";

// Returns what the server says of its model; `complain` is told what else is wrong.
export async function loadModel(complain) {
  for (;;) {
    try {
      return await api.model();
    } catch (error) {
      if (error.status !== 401) {
        complain(error.message);
        throw error;
      }
      api.setToken(await askForToken());
    }
  }
}

function askForToken() {
  const dialog = find("token-dialog");
  dialog.showModal();
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  return new Promise((resolve) => {
    find("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close();
      resolve(find("token").value.trim());
    }, { once: true });
  });
}
