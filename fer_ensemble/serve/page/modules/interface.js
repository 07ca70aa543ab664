// The page for programs: the server's own description of its interface, in words.

import { description } from "./api.js";
import { make } from "./elements.js";
import { renderLine } from "./markdown.js";

const EXAMPLE = (address) => `curl --data-binary @party.jpg ${address}/api/faces`;
const PYTHON = (address) => `import requests

with open("party.jpg", "rb") as picture:
    answer = requests.post("${address}/api/faces", files={"picture": picture})
for face in answer.json()["faces"]:
    print(face["box"], face["expression"], face["probability"])`;

let shown = false;

export async function showInterface(box) {
  if (shown) return;
  shown = true;
  let told;
  try {
    told = await description();
  } catch (error) {
    shown = false;
    box.replaceChildren(make("p", {}, error.message));
    return;
  }
  const routes = Object.entries(told.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => showRoute(method, path, route)));
  box.replaceChildren(
    make("p", {}, "The same answers for programs: JSON over HTTP. With a token, each request to /api carries the header ",
      make("code", {}, "Authorization: Bearer TOKEN"), "."),
    make("h2", {}, "For instance"),
    make("pre", {}, make("code", {}, EXAMPLE(location.origin))),
    make("pre", {}, make("code", {}, PYTHON(location.origin))),
    make("h2", {}, "Addresses"),
    ...routes,
    make("p", {}, "All of this for machines: ", make("a", { href: "/openapi.json" }, "/openapi.json"), "."),
  );
}

function showRoute(method, path, route) {
  const parts = [make("h3", {}, make("span", { className: "method" }, method.toUpperCase()), make("code", {}, path), ` ${route.summary ?? ""}`)];
  if (route.description) parts.push(make("p", {}, ...renderLine(route.description)));
  const kinds = Object.keys(route.requestBody?.content ?? {});
  if (kinds.length) parts.push(make("p", {}, "Takes ", ...kinds.flatMap((kind, index) => [index ? (index === kinds.length - 1 ? " or " : ", ") : "", make("code", {}, kind)]), "."));
  for (const parameter of route.parameters ?? []) {
    parts.push(make("p", {}, make("code", {}, `?${parameter.name}=`), ``, ...renderLine(` ${parameter.description ?? ""}`)));
  }
  const answer = route.responses?.["200"];
  if (answer) parts.push(make("p", {}, ...renderLine(answer.description)));
  const fields = Object.entries(answer?.content?.["application/json"]?.schema?.properties ?? {});
  if (fields.length) parts.push(showFields(fields));
  const refusals = Object.entries(route.responses ?? {}).filter(([status]) => status !== "200");
  if (refusals.length) {
    parts.push(make("details", {}, make("summary", {}, "When it says no"),
      make("dl", { className: "facts" }, ...refusals.flatMap(([status, refusal]) => [make("dt", {}, status), make("dd", {}, ...renderLine(refusal.description))]))));
  }
  return make("section", { className: "route" }, ...parts);
}

function showFields(fields, before = "") {
  const lines = fields.flatMap(([name, schema]) => {
    const inner = Object.entries(schema.items?.properties ?? {});
    const words = schema.description ?? schema.items?.description ?? schema.type ?? "";
    return [make("dt", {}, make("code", {}, before + name)), make("dd", {}, ...renderLine(words)), ...(inner.length ? [...showFields(inner, `${name}[].`).children] : [])];
  });
  return make("dl", { className: "facts" }, ...lines);
}
