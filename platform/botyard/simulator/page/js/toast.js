// Short messages in the corner, and questions that must be answered.

import { element } from "./dom.js";
import { words } from "./api.js";

const SHOWN_FOR = 4500;

// Opens a dialogue as a modal one. Whatever is outside of it can neither be seen nor be read out, so the short
// messages live in the newest dialogue while there is one.
export function modal(made) {
  const move = () => {
    const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    home.append(document.getElementById("toasts"));
  };
  made.addEventListener("close", () => {
    move();
    made.remove();
  });
  document.body.append(made);
  made.showModal();
  move();
}

export function toast(text, kind = "") {
  const box = document.getElementById("toasts");
  const made = element("div", { class: `toast ${kind}` }, text);
  box.append(made);
  while (box.childElementCount > 3) box.firstElementChild.remove();
  setTimeout(() => made.remove(), SHOWN_FOR);
}

// Does something, and says in words why it failed. Returns nothing then.
export async function attempt(work) {
  try {
    return (await work()) ?? true;
  } catch (error) {
    toast(words(error), "bad");
    return undefined;
  }
}

// A modal dialogue; resolves when it is closed, with its return value.
export function dialogue(title, content, { label = "Close", kind = "" } = {}) {
  const heading = element("h2", { id: "dialogue-title" }, title);
  const form = element("form", { method: "dialog" }, heading, ...[content].flat());
  if (label) form.append(element("div", { class: "buttons" }, element("button", { class: "primary", value: "ok" }, label)));
  const made = element("dialog", { class: kind, "aria-labelledby": "dialogue-title" }, form);
  made.addEventListener("click", (event) => {
    if (event.target === made) made.close("");
  });
  modal(made);
  const closed = new Promise((resolve) => {
    made.addEventListener("close", () => resolve(made.returnValue));
  });
  return { made, form, closed };
}

export function field(label, input, hint) {
  return element("label", { class: "field" }, element("span", {}, label), input, hint ? element("small", {}, hint) : null);
}

// Asks for one line of text.
export async function ask(title, label, value = "", action = "OK") {
  const input = element("input", { name: "value", value, autocomplete: "off", maxlength: "256" });
  const { closed } = dialogue(title, field(label, input), { label: action });
  input.select();
  return (await closed) === "ok" ? input.value.trim() : "";
}

export async function sure(title, text, action) {
  const { closed } = dialogue(title, element("p", { class: "say" }, text), { label: action });
  return (await closed) === "ok";
}
