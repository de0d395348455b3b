// The conversation: bubbles, keyboards, the typing indicator.

import { element, link, rich } from "./text.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" });
const NEAR = 120;
const ACTIONS = { typing: "typing…" };

const at = (seconds) => new Date(seconds * 1000);
const byId = (id) => document.getElementById(id);

export class Chat {
  constructor({ onText, onPress }) {
    this.onText = onText;
    this.onPress = onPress;
    this.list = byId("messages");
    this.scroller = byId("scroll");
    this.waiting = new Map();
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.shown = new Map();
    this.usedKeyboard = 0;
    this.waiting.clear();
    this.last = 0;
    this.keyboard(null);
    this.typing(null);
  }

  show(view, personId) {
    const nearEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR;
    this.bubbles(view.messages, personId);
    this.typing(view.action);
    this.keyboard(view.messages.findLast((message) => hasKeyboard(message)));
    const newest = view.messages.at(-1);
    const own = newest && newest.message_id > this.last && newest.from.id === personId;
    this.last = Math.max(this.last, newest?.message_id ?? 0);
    if (nearEnd || own) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  // Changes only what differs, so that screen readers announce only what is new.
  bubbles(messages, personId) {
    const present = new Set();
    let before = null;
    let day = "";
    for (const message of messages) {
      const key = String(message.message_id);
      const sign = JSON.stringify(message);
      present.add(key);
      let known = this.shown.get(key);
      if (known?.sign !== sign) {
        const node = this.bubble(message, personId);
        if (known) known.node.replaceWith(node);
        known = { node, sign };
        this.shown.set(key, known);
      }
      const today = calendar.format(at(message.date));
      if (today !== day) {
        before = this.place(this.day(today, present), before);
        day = today;
      }
      before = this.place(known.node, before);
    }
    for (const [key, { node }] of this.shown) {
      if (!present.has(key)) {
        node.remove();
        this.shown.delete(key);
      }
    }
  }

  day(name, present) {
    const key = `day ${name}`;
    present.add(key);
    let known = this.shown.get(key);
    if (!known) {
      known = { node: element("li", { class: "day" }, element("span", {}, name)) };
      this.shown.set(key, known);
    }
    return known.node;
  }

  place(node, before) {
    const next = before ? before.nextSibling : this.list.firstChild;
    if (next !== node) this.list.insertBefore(node, next);
    return node;
  }

  bubble(message, personId) {
    const from = message.from.is_bot ? "bot" : "person";
    const bubble = element("div", {
      class: message.from.id === personId ? "bubble own" : "bubble",
      "data-from": from,
      "data-message-id": String(message.message_id),
    });
    bubble.append(element("span", { class: "unseen" }, `${message.from.first_name}: `));
    if (message.reply_to_message) bubble.append(quote(message.reply_to_message));
    bubble.append(element("div", { class: "text" }, rich(message.text ?? "", message.entities, this.onText)));
    bubble.append(meta(message));
    const item = element("li", { class: message.from.id === personId ? "item own" : "item" }, bubble);
    const rows = message.reply_markup?.inline_keyboard;
    if (rows) item.append(this.inline(message, rows));
    return item;
  }

  inline(message, rows) {
    const grid = element("div", { class: "inlinerows", role: "group", "aria-label": "Buttons" });
    for (const row of rows) {
      const line = row.map((button) => this.inlineButton(message, button));
      grid.append(element("div", { class: "row" }, ...line));
    }
    return grid;
  }

  inlineButton(message, button) {
    const { text, url, callback_data: data, copy_text: copy } = button;
    if (url) return link(url, `${text} ↗`, { class: "inline" });
    const made = element("button", { type: "button", class: "inline" }, element("span", {}, text));
    if (data !== undefined) made.addEventListener("click", () => this.press(message, data, made));
    else if (copy) made.addEventListener("click", () => navigator.clipboard.writeText(copy.text));
    else made.disabled = true;
    return made;
  }

  async press(message, data, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    const query = await this.onPress(message, data);
    if (query) this.waiting.set(query, button);
    else button.removeAttribute("aria-busy");
  }

  // Ends the spinner of an answered press; tells whether this page pressed it.
  answered(query) {
    const button = this.waiting.get(query);
    button?.removeAttribute("aria-busy");
    return this.waiting.delete(query);
  }

  typing(action) {
    clearTimeout(this.timer);
    const box = byId("typing");
    box.hidden = !action;
    box.setAttribute("aria-label", action ? "The bot is typing" : "");
    byId("subtitle").dataset.action = action ? (ACTIONS[action.action] ?? `${action.action.replaceAll("_", " ")}…`) : "";
    if (action) this.timer = setTimeout(() => this.typing(null), action.seconds * 1000);
  }

  keyboard(message) {
    const box = byId("keyboard");
    const markup = message?.reply_markup;
    const rows = markup?.keyboard;
    if (!rows || (markup.one_time_keyboard && this.usedKeyboard === message.message_id)) {
      box.hidden = true;
      box.replaceChildren();
      return;
    }
    const press = (text) => {
      this.usedKeyboard = message.message_id;
      this.onText(text);
    };
    const button = ({ text }) => element("button", { type: "button", class: "reply", onclick: () => press(text) }, text);
    box.replaceChildren(...rows.map((row) => element("div", { class: "row" }, ...row.map(button))));
    box.hidden = false;
  }
}

function hasKeyboard({ from, reply_markup: markup }) {
  return from.is_bot && Boolean(markup?.keyboard ?? markup?.remove_keyboard);
}

function quote(message) {
  const name = element("strong", {}, message.from.first_name);
  return element("div", { class: "quote" }, name, element("span", {}, message.text ?? ""));
}

function meta(message) {
  const time = element("time", { datetime: at(message.date).toISOString() }, clock.format(at(message.date)));
  const line = element("div", { class: "meta" });
  if (message.edit_date) line.append(element("span", { class: "edited" }, "edited"));
  line.append(time);
  return line;
}
