// The small part of Markdown that a model card is written in: headings, paragraphs, lists, tables, bold, code, links.

import { make } from "./elements.js";

export function renderMarkdown(text) {
  const blocks = text.replaceAll("\r", "").split(/\n\s*\n/).flatMap(splitHeading).filter((block) => block.trim());
  return blocks.map(renderBlock);
}

// A heading is a block of its own even where no empty line follows it.
function splitHeading(block) {
  const [first, ...rest] = block.trim().split("\n");
  return /^#+ /.test(first) && rest.length ? [first, rest.join("\n")] : [block];
}

function renderBlock(block) {
  const lines = block.trim().split("\n");
  const heading = /^(#+) (.*)$/.exec(lines[0]);
  if (heading) return make(`h${Math.max(2, Math.min(4, heading[1].length))}`, {}, ...renderLine(heading[2]));
  if (lines.length > 1 && lines[0].startsWith("|")) return renderTable(lines);
  if (/^([-*]|\d+\.) /.test(lines[0])) return renderList(lines);
  return make("p", {}, ...renderLine(lines.join(" ")));
}

function renderList(lines) {
  const items = [];
  for (const line of lines) {
    const begin = /^([-*]|\d+\.) (.*)$/.exec(line);
    if (begin) items.push(begin[2]);
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return make(/^\d/.test(lines[0]) ? "ol" : "ul", {}, ...items.map((item) => make("li", {}, ...renderLine(item))));
}

function renderTable(lines) {
  const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const row = (line, head) => make("tr", {}, ...cells(line).map((cell, index) => renderCell(cell, head, index)));
  const table = make("table", {}, make("thead", {}, row(lines[0], true)), make("tbody", {}, ...lines.slice(2).map((line) => row(line, false))));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table" }, table);
}

function renderCell(cell, head, index) {
  if (head && cell) return make("th", { scope: "col" }, ...renderLine(cell));
  return index || head ? make("td", {}, ...renderLine(cell)) : make("th", { scope: "row" }, ...renderLine(cell));
}

export function renderLine(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`|\[[^\]]+\]\([^)\s]+\))/).filter(Boolean).map((part) => {
    if (/^\*\*.+\*\*$/.test(part)) return make("strong", {}, part.slice(2, -2));
    if (/^`.+`$/.test(part)) return make("code", {}, part.slice(1, -1));
    const link = /^\[(.+)\]\((https?:\/\/.+)\)$/.exec(part);
    if (link) return make("a", { href: link[2], rel: "noreferrer" }, link[1]);
    return part.replace(/^\[(.+)\]\(.*\)$/, "$1"); // a link to a file that this server does not have
  });
}
