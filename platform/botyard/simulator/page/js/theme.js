// Light, dark, or as the system has it; remembered.

import { icon } from "./dom.js";

const NEXT = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: "moon", light: "sun", dark: "moon" };

export class Theme {
  constructor(memory) {
    this.memory = memory;
    this.apply();
  }

  apply() {
    const { theme } = this.memory;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  next() {
    this.memory.theme = NEXT[this.memory.theme] ?? "system";
    this.apply();
    this.label();
  }

  label() {
    const { theme } = this.memory;
    this.button?.setAttribute("aria-label", `Theme: ${theme}`);
    this.button?.setAttribute("title", `Theme: ${theme}`);
    this.button?.replaceChildren(icon(ICONS[theme] ?? "moon"));
  }
}
