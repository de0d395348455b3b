// A list above the field: commands while "/" is typed, results of a bot while "@bot …" is typed.

import { element } from "./dom.js";

export class Suggestions {
  constructor(list, field) {
    this.list = list;
    this.field = field;
    this.close();
  }

  get open() {
    return !this.list.hidden;
  }

  // Options: { title, text, media (a node), pick }.
  show(label, options, { active = 0 } = {}) {
    this.options = options;
    if (options.length === 0) {
      this.close();
      return;
    }
    this.list.setAttribute("aria-label", label);
    this.list.replaceChildren(...options.map((option, index) => this.option(option, index)));
    this.list.hidden = false;
    this.mark(active);
  }

  option({ title, text, media }, index) {
    const texts = element("span", { class: "lines" }, element("strong", {}, title), text ? element("small", {}, text) : null);
    const made = element("li", { role: "option", id: `${this.list.id}-${index}`, "aria-selected": "false" }, media ?? null, texts);
    made.addEventListener("mousedown", (event) => event.preventDefault());
    made.addEventListener("click", () => this.pick(index));
    return made;
  }

  mark(index) {
    this.active = index;
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    const chosen = this.list.children[index];
    if (chosen) {
      this.field.setAttribute("aria-activedescendant", chosen.id);
      chosen.scrollIntoView({ block: "nearest" });
    } else this.field.removeAttribute("aria-activedescendant");
  }

  pick(index = this.active) {
    const option = this.options[index];
    if (!option) return false;
    this.close();
    option.pick();
    return true;
  }

  close() {
    this.options = [];
    this.active = -1;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.field.removeAttribute("aria-activedescendant");
  }

  // Tells whether the key was meant for the list.
  key(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const none = this.active < 0 && step < 0 ? 0 : this.active;
    if (step) this.mark((none + step + this.options.length) % this.options.length);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && event.shiftKey) return this.close() ?? false;
    else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) return this.active >= 0 && this.pick();
    else return false;
    return true;
  }
}
