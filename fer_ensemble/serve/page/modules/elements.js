// Makes elements. Text is always set as text: nothing that comes from a file name or a model is read as HTML.

export function make(tag, options = {}, ...children) {
  const { data = {}, ...properties } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "scope") element.setAttribute(name, value);
    else element[name] = value;
  }
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);
