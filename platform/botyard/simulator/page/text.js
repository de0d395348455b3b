// Text with entities to DOM nodes. Everything goes in as text, never as markup.

const TAGS = {
  bold: "strong",
  italic: "em",
  underline: "u",
  strikethrough: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  spoiler: "span",
};
const SAFE = /^(https?:|tel:|mailto:)/i;

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function link(url, text, attributes = {}) {
  if (!SAFE.test(url)) return element("span", { ...attributes, title: url }, text);
  return element("a", { ...attributes, href: url, target: "_blank", rel: "noopener noreferrer" }, text);
}

function wrap(entity, inner, plain, onCommand) {
  if (entity.type === "text_link") return link(entity.url, inner);
  if (entity.type === "url") return link(plain, inner);
  if (entity.type === "bot_command") {
    return element("button", { type: "button", class: "command", onclick: () => onCommand(plain) }, inner);
  }
  const tag = TAGS[entity.type];
  return tag ? element(tag, { class: entity.type }, inner) : inner;
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
    if (entity.offset < place) {
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
  return build(text, entities, 0, text.length, onCommand);
}
