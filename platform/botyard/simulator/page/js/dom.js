// Building nodes. Everything from outside goes in as text, never as markup.

const ICONS = {
  add: "M12 5v14M5 12h14",
  attach: "M20 11.5 12.2 19a5 5 0 0 1-7-7l8-7.8a3.3 3.3 0 0 1 4.7 4.7l-7.8 7.6a1.6 1.6 0 0 1-2.3-2.3l7-6.9",
  back: "M14.5 5 8 12l6.5 7",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  beside: "M4 5h16v14H4zM12 5v14",
  bolt: "M13 3 5 13.5h6L10 21l9-11h-6.5z",
  check: "M5 12.5 10 17.5 19 7",
  clock: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM12 7.5V12l3 2",
  close: "M6 6l12 12M18 6 6 18",
  code: "M9 7 4 12l5 5M15 7l5 5-5 5",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M5 20h14",
  edit: "M5 19v-3.5L15.5 5 19 8.5 8.5 19z",
  file: "M7 3.5h7l4 4V20.5H7zM14 3.5v4h4",
  group: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c.3-3.2 2.5-5 5.5-5s5.2 1.8 5.5 5M15.5 11a2.6 2.6 0 1 0-.5-5M17 14c2 .5 3.3 2.2 3.5 5",
  help: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM9.7 9.5a2.4 2.4 0 1 1 3.3 2.3c-.7.3-1 .8-1 1.7M12 16.5v.3",
  info: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5.5M12 7.5v.3",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  pin: "M9 4h6l-1 6 3.5 3.5h-11L10 10zM12 13.5V20",
  receipt: "M6 3.5h12V21l-2.4-1.6L13.2 21 12 19.8 10.8 21l-2.4-1.6L6 21zM9 8.5h6M9 12.5h6",
  place: "M12 21c4.5-5 6.5-8 6.5-11a6.5 6.5 0 0 0-13 0c0 3 2 6 6.5 11zM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  reply: "M10 6 4 11.5 10 17v-3.5c5 0 8 1.5 10 4.5-.5-5-3.5-8.5-10-8.5z",
  send: "M4 20 20.5 12 4 4v6.2L14 12 4 13.8z",
  smile: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM8.5 14a4 4 0 0 0 7 0M9 9.8v.1M15 9.8v.1",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 13h8.4L17 7",
  user: "M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c.5-4 3-6 7-6s6.5 2 7 6",
  voice: "M12 15a3 3 0 0 0 3-3V6.5a3 3 0 0 0-6 0V12a3 3 0 0 0 3 3zM6 11.5a6 6 0 0 0 12 0M12 17.5V21",
};
const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("class", `icon i-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  made.append(path);
  return made;
}

// A button that shows only an icon; its label is its name and its tip.
export function iconButton(name, label, onclick, attributes = {}) {
  const all = { type: "button", class: "iconic", "aria-label": label, title: label, ...attributes };
  const made = element("button", all, icon(name));
  if (onclick) made.addEventListener("click", onclick);
  return made;
}

export function button(text, onclick, attributes = {}) {
  const made = element("button", { type: "button", class: "quiet", ...attributes }, text);
  if (onclick) made.addEventListener("click", onclick);
  return made;
}

const signs = new WeakMap();

// Marks a node in which people do something (tick, play, unfold); `about` is what it shows.
export function lasting(node, ...about) {
  signs.set(node, JSON.stringify(about));
  node.dataset.lasting = "";
  return node;
}

// Takes such nodes over from an older drawing, as they are. What plays goes on: the page is not painted in between.
export function carry(old, made) {
  const known = [...old.querySelectorAll("[data-lasting]")];
  for (const node of made.querySelectorAll("[data-lasting]")) {
    const place = known.findIndex((one) => signs.get(one) === signs.get(node));
    if (place >= 0) node.replaceWith(...known.splice(place, 1));
  }
}

const hue = (id) => Math.abs(Number(id)) % 7;

export function avatar(id, name, kind = "") {
  const letters = [...(name || "?").trim()];
  return element("span", { class: `avatar h${hue(id)} ${kind}`, "aria-hidden": "true" }, (letters[0] ?? "?").toUpperCase());
}

export const nameClass = (id) => `name h${hue(id)}`;

const SAFE = /^(https?:\/\/|tg:|mailto:|tel:)/i;

// A link, if its address is of a harmless kind; what else it says is shown and leads nowhere.
export function link(url, content, attributes = {}) {
  if (!SAFE.test(url)) return element("span", { ...attributes, title: `Not opened: ${url}` }, content);
  return element("a", { ...attributes, href: url, target: "_blank", rel: "noopener noreferrer" }, content);
}

// Moves the focus with the arrow keys between the elements that a selector finds.
export function arrows(box, selector, { back = "ArrowUp", on = "ArrowDown" } = {}) {
  box.addEventListener("keydown", (event) => {
    const steps = { [back]: -1, [on]: 1 };
    const wanted = { Home: 0, End: -1 }[event.key];
    if (!(event.key in steps) && wanted === undefined) return;
    if (event.target.matches("input, textarea, select")) return;
    const all = [...box.querySelectorAll(selector)].filter((found) => found.checkVisibility());
    const place = all.indexOf(event.target.closest(selector));
    if (place < 0) return;
    const next = wanted === undefined ? all[place + steps[event.key]] : all.at(wanted);
    event.preventDefault();
    next?.focus();
  });
}
