// Text with entities to nodes.

import { element, link } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code" };

function spoiler(inner) {
  const attributes = { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Hidden text, press to show" };
  const made = element("span", attributes, element("span", { "aria-hidden": "true" }, inner));
  const show = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    made.replaceWith(...made.firstChild.childNodes);
  };
  made.addEventListener("click", show);
  made.addEventListener("keydown", show);
  return made;
}

function folded(inner) {
  const quote = element("blockquote", { class: "folded" }, inner);
  const more = element("button", { type: "button", class: "linkish" }, "Show more");
  more.addEventListener("click", () => {
    quote.classList.toggle("folded");
    more.textContent = quote.classList.contains("folded") ? "Show more" : "Show less";
  });
  return element("div", { class: "foldable" }, quote, more);
}

function wrap(entity, inner, plain, onCommand) {
  switch (entity.type) {
    case "text_link":
      return link(entity.url, inner);
    case "url":
      return link(/^[a-z][a-z0-9+.-]*:/i.test(plain) ? plain : `http://${plain}`, inner);
    case "email":
      return link(`mailto:${plain}`, inner);
    case "phone_number":
      return link(`tel:${plain.replace(/[^+\d]/g, "")}`, inner);
    case "bot_command":
      return element("button", { type: "button", class: "command", onclick: () => onCommand(plain) }, inner);
    case "mention":
    case "text_mention":
    case "hashtag":
    case "cashtag":
      return element("span", { class: "mention" }, inner);
    case "spoiler":
      return spoiler(inner);
    case "pre":
      return element("pre", { tabindex: "0", "aria-label": `Code${entity.language ? ` in ${entity.language}` : ""}` }, inner);
    case "blockquote":
      return element("blockquote", {}, inner);
    case "expandable_blockquote":
      return folded(inner);
    default:
      return TAGS[entity.type] ? element(TAGS[entity.type], {}, inner) : inner;
  }
}

// Builds the nodes between two offsets. Entities are sorted by place, the longer first, so the first of
// those inside a range encloses the ones that follow it up to its end.
function build(text, entities, from, to, onCommand) {
  const nodes = document.createDocumentFragment();
  let place = from;
  let index = 0;
  while (index < entities.length) {
    const entity = entities[index];
    const end = Math.min(entity.offset + entity.length, to);
    if (entity.offset < place || end <= entity.offset) {
      index += 1;
      continue;
    }
    nodes.append(text.slice(place, entity.offset));
    let next = index + 1;
    while (next < entities.length && entities[next].offset < end) next += 1;
    const inner = build(text, entities.slice(index + 1, next), entity.offset, end, onCommand);
    nodes.append(wrap(entity, inner, text.slice(entity.offset, end), onCommand));
    place = end;
    index = next;
  }
  nodes.append(text.slice(place, to));
  return nodes;
}

export function rich(text, entities = [], onCommand = () => {}) {
  const blocks = new Set(entities.filter(({ type }) => type === "pre").map(({ offset, length }) => `${offset} ${length}`));
  // Code that is nothing but the inside of a block says the same twice.
  const told = entities.filter(({ type, offset, length }) => type !== "code" || !blocks.has(`${offset} ${length}`));
  const sorted = told.sort((one, other) => one.offset - other.offset || other.length - one.length);
  return build(text, sorted, 0, text.length, onCommand);
}
