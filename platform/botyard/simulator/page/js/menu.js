// A small menu beside what it belongs to. Escape and a click elsewhere close it.

import { arrows, element, icon } from "./dom.js";

function place(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.right - width, innerWidth - width - 8));
  const below = at.bottom + 4 + height < innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - height - 4)}px`;
}

// Shows entries [{ icon, label, onclick, danger }]; `head` is a node above them.
export function menu(anchor, label, entries, head = null) {
  const items = entries.map(({ icon: name, label: text, onclick, danger }) => {
    const attributes = { type: "button", role: "menuitem", class: danger ? "danger" : "" };
    const made = element("button", attributes, icon(name), text);
    made.addEventListener("click", () => {
      close();
      onclick();
    });
    return made;
  });
  const box = element("div", { class: "menu", popover: "auto", role: "menu", "aria-label": label }, head, ...items);
  const close = () => box.hidePopover();
  arrows(box, "button");
  (anchor.closest("main, header, dialog") ?? document.body).append(box);
  anchor.setAttribute("aria-expanded", "true");
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    const inside = box.contains(document.activeElement) || document.activeElement === document.body;
    box.remove();
    if (inside && anchor.isConnected) anchor.focus();
  });
  box.showPopover();
  place(box, anchor);
  (items[0] ?? box.querySelector("button"))?.focus();
  return close;
}
