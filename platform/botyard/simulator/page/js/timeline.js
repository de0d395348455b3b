// The conversation: what is placed where, what changed, where it is scrolled.

import { bubble, happened, note } from "./bubble.js";
import { carry, element, iconButton } from "./dom.js";
import { day, sender } from "./format.js";
import { service } from "./service.js";

const NEAR = 120;
const JOINED_WITHIN = 300;
const TRACE_FOR = 2500;

// Messages of one album stand together; every other message for itself.
function blocks(messages) {
  const made = [];
  for (const message of messages) {
    const album = message.media_group_id;
    const before = made.at(-1);
    if (album && before?.[0].media_group_id === album) before.push(message);
    else made.push([message]);
  }
  return made;
}

export class Timeline {
  constructor(scroller, list, acts) {
    this.scroller = scroller;
    this.list = list;
    this.acts = acts;
    this.down = iconButton("back", "To the newest message", () => this.toEnd(), { class: "iconic down", hidden: true });
    this.scroller.after(this.down);
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.keys(event));
    // Pictures that arrive later make the conversation longer, and a keyboard makes its window smaller.
    const observer = new ResizeObserver(() => this.stuck && this.toEnd());
    observer.observe(this.scroller);
    observer.observe(this.list);
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.shown = new Map();
    this.newest = 0;
    this.first = true;
    this.stuck = true;
    this.unreadFrom = 0;
    this.before = 0;
  }

  show(view, { personId, seen }) {
    const { messages, notes } = view;
    const newest = messages.at(-1);
    if (this.first) this.unreadFrom = seen && newest?.message_id > seen ? seen : 0;
    const shared = view.chat?.type !== "private";
    this.list.parentElement.setAttribute("aria-busy", String(this.first));
    this.place(this.plan(messages, notes ?? [], { personId, shared, pinned: view.chat?.pinned ?? [] }), messages[0]?.message_id ?? 0);
    this.first = false;
    const own = newest && newest.message_id > this.newest && newest.from?.id === personId;
    this.newest = Math.max(this.newest, newest?.message_id ?? 0);
    if (this.stuck || own) this.toEnd();
    this.list.parentElement.setAttribute("aria-busy", "false");
  }

  // Returns what is to be seen: a key, what it depends on, and how it is made.
  plan(messages, notes, look) {
    const plan = [];
    const waiting = [...notes];
    let before = null;
    let today = "";
    let line = this.unreadFrom > 0;
    const tell = (one) => plan.push({ key: `note ${one.id}`, sign: "", make: () => note(one, () => this.acts.noted(one)) });
    const notesUpTo = (ids, date) => {
      for (const one of [...waiting]) {
        if (!(ids.includes(one.message_id) || (!one.message_id && one.at < date))) continue;
        waiting.splice(waiting.indexOf(one), 1);
        tell(one);
      }
    };
    for (const group of blocks(messages)) {
      const [message] = group;
      notesUpTo([], message.date);
      if (day(message.date) !== today) {
        today = day(message.date);
        const shown = today;
        plan.push({ key: `day ${shown}`, sign: "", make: () => element("li", { class: "day" }, element("span", {}, shown)) });
        before = null;
      }
      if (line && message.message_id > this.unreadFrom && message.from?.id !== look.personId) {
        line = false;
        before = null;
        plan.push({ key: "unread", sign: "", make: () => element("li", { class: "unread" }, element("span", {}, "New")) });
      }
      const said = service(message);
      const joined = !said && Boolean(before) && sender(before).id === sender(message).id && message.date - before.date < JOINED_WITHIN;
      const full = { ...look, joined, pinned: look.pinned.includes(message.message_id), acts: this.acts };
      const sign = JSON.stringify([group, joined, full.pinned, look.personId]);
      const make = () => {
        try {
          return said ? happened(said, group, this.acts) : bubble(group, full);
        } catch (error) {
          console.error(error);
          return happened(`This message cannot be shown here: ${error.message}`, group, this.acts);
        }
      };
      plan.push({ key: `message ${message.message_id}`, sign, make, id: message.message_id });
      before = said ? null : group.at(-1);
      const ids = group.map(({ message_id: id }) => id);
      if (waiting.some(({ message_id: id }) => ids.includes(id))) before = null;
      notesUpTo(ids, 0);
    }
    waiting.forEach(tell);
    return plan;
  }

  // Changes only what differs, so that screen readers announce only what is new.
  place(plan, oldest) {
    const present = new Set(plan.map(({ key }) => key));
    for (const [key, known] of this.shown) {
      if (present.has(key)) continue;
      this.shown.delete(key);
      if (known.id > oldest && oldest) this.trace(known.node);
      else known.node.remove();
    }
    let before = null;
    for (const { key, sign, make, id } of plan) {
      let known = this.shown.get(key);
      if (known?.sign !== sign) known = this.renew(known, { sign, node: make(), id });
      this.shown.set(key, known);
      let next = before ? before.nextSibling : this.list.firstChild;
      while (next?.classList.contains("trace")) next = next.nextSibling;
      if (next !== known.node) this.list.insertBefore(known.node, next);
      before = known.node;
    }
  }

  renew(old, made) {
    if (!old) return made;
    const focused = old.node.contains(document.activeElement) ? document.activeElement : null;
    made.node.classList.add("still");
    carry(old.node, made.node);
    old.node.replaceWith(made.node);
    const next = made.node.contains(focused) ? focused : made.node.querySelector("button.inline") ?? made.node;
    if (focused) next.focus({ preventScroll: true });
    return made;
  }

  trace(node) {
    node.className = "service trace";
    node.removeAttribute("tabindex");
    node.replaceChildren(element("span", {}, "Message deleted"));
    setTimeout(() => node.remove(), TRACE_FOR);
  }

  scrolled() {
    const left = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    // Only a person scrolls up: whatever else moves the end away leaves the conversation stuck to it.
    const up = this.scroller.scrollTop < this.before - 1;
    this.before = this.scroller.scrollTop;
    if (left < NEAR) this.stuck = true;
    else if (up) this.stuck = false;
    this.down.hidden = this.stuck;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.before = this.scroller.scrollTop;
    this.stuck = true;
    this.down.hidden = true;
  }

  find(messageId) {
    return this.list.querySelector(`[data-id="${Number(messageId)}"]`);
  }

  jump(messageId) {
    const node = this.find(messageId);
    if (!node) return false;
    node.scrollIntoView({ block: "center" });
    node.classList.remove("marked");
    void node.offsetWidth; // starts the animation anew
    node.classList.add("marked");
    node.focus({ preventScroll: true });
    return true;
  }

  keys(event) {
    const all = [...this.list.querySelectorAll("[data-id], .note")];
    const place = all.indexOf(event.target);
    const onItem = place >= 0;
    if (!onItem && event.target !== this.scroller) return;
    const wanted = { ArrowUp: onItem ? place - 1 : all.length - 1, ArrowDown: place + 1, Home: 0, End: all.length - 1 }[event.key];
    if (wanted !== undefined && (onItem || event.key === "ArrowUp")) {
      event.preventDefault();
      all[Math.max(0, Math.min(wanted, all.length - 1))]?.focus();
    } else if (onItem && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      event.target.querySelector(".more, summary, button")?.click();
    }
  }
}
