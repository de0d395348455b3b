// The left side: who the person is, which chats there are, what is unread.

import { arrows, avatar, element, icon, iconButton } from "./dom.js";
import { fullName, sender, shortTime, summary } from "./format.js";
import { service } from "./service.js";
import { keyOf } from "./session.js";

const COUNTED = 21;

export class ChatList {
  constructor(box, app) {
    this.app = app;
    this.who = element("button", { type: "button", class: "who", "aria-haspopup": "menu", "aria-expanded": "false" });
    this.who.addEventListener("click", () => app.choosePerson(this.who));
    this.chats = element("nav", { class: "chats", "aria-label": "Chats" });
    const tools = element("div", { class: "tools" },
      iconButton("add", "New group or channel", () => app.newGroup()),
      (this.bolt = iconButton("bolt", "Faults", () => app.faults.toggle(), { "aria-expanded": "false", "aria-controls": "faults" })),
      (this.theme = iconButton("moon", "Theme", () => app.theme.next())),
      iconButton("help", "Keys and help", () => app.help()));
    const brand = element("div", { class: "brand" }, element("img", { src: "icon.svg", alt: "", width: 26, height: 26 }), element("strong", {}, "Simulator"), tools);
    box.append(brand, this.who, this.chats, element("p", { class: "hint" }, "A Telegram of your own. Nothing here leaves this machine."));
    arrows(this.chats, ".open");
    app.session.addEventListener("directory", () => this.draw());
  }

  unread(chat) {
    if (!chat.inside) return 0;
    const seen = this.app.memory.seen(this.app.session.person.id, keyOf(chat));
    // A chat that began anew has smaller ids than what was seen.
    const since = seen > chat.last_message_id ? 0 : seen;
    return chat.incoming.filter((id) => id > since).length;
  }

  sections() {
    const { chats } = this.app.session;
    const recent = (one, other) => (other.last?.date ?? 0) - (one.last?.date ?? 0);
    const mine = chats.filter(({ inside }) => inside).sort(recent);
    return [
      ["Bots", mine.filter(({ type }) => type === "private")],
      ["Groups and channels", mine.filter(({ type }) => type !== "private")],
      ["Not a member", chats.filter(({ inside }) => !inside).sort(recent)],
    ].filter(([, found]) => found.length > 0);
  }

  draw() {
    const { person } = this.app.session;
    if (!person) return;
    const open = new Set(this.app.columns.map(({ key }) => key));
    const sections = this.sections();
    const sign = JSON.stringify([person, this.app.active?.key, [...open], sections.map(([name, chats]) => [name, chats.map((chat) => [chat, this.unread(chat), this.nameOf(chat)])])]);
    if (sign === this.sign) return;
    this.sign = sign;
    this.who.replaceChildren(avatar(person.id, person.first_name, "small"), element("span", { class: "lines" }, element("small", {}, "You are"), element("strong", {}, fullName(person))), icon("group"));
    const focused = document.activeElement?.dataset?.key;
    const empty = element("p", { class: "hint" }, "Waiting for a bot to be added.");
    this.chats.replaceChildren(...(sections.length ? sections.flatMap(([name, chats]) => this.section(name, chats, open)) : [empty]));
    if (focused) this.chats.querySelector(`.open[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  section(name, chats, open) {
    return [element("h2", { class: "sectionname" }, name), element("ul", {}, ...chats.map((chat) => this.row(chat, open)))];
  }

  nameOf(chat) {
    return chat.type === "private" ? this.app.session.bot(chat.bot_id)?.name ?? "Bot" : chat.title;
  }

  preview(chat) {
    if (!chat.last) return chat.type === "private" ? `@${this.app.session.bot(chat.bot_id)?.username}` : "No messages yet";
    const said = service(chat.last);
    if (said) return said;
    const from = sender(chat.last);
    const who = from.id === this.app.session.person.id ? "You: " : chat.type === "group" || chat.type === "supergroup" ? `${fullName(from)}: ` : "";
    return who + summary(chat.last);
  }

  row(chat, open) {
    const key = keyOf(chat);
    const name = this.nameOf(chat);
    const unread = this.unread(chat);
    const shown = unread >= COUNTED ? `${COUNTED - 1}+` : String(unread);
    const id = chat.type === "private" ? chat.bot_id : chat.chat_id;
    const first = element("span", { class: "first" }, element("strong", {}, name), chat.last ? element("time", {}, shortTime(chat.last.date)) : null);
    const badge = unread ? element("span", { class: "unreadcount" }, shown, element("span", { class: "unseen" }, " unread")) : null;
    const second = element("span", { class: "second" }, element("span", { class: "preview" }, this.preview(chat)), chat.blocked ? element("small", {}, "blocked") : null, badge);
    const current = this.app.active?.key === key ? "true" : undefined;
    const main = element("button", { type: "button", class: `open${open.has(key) ? " shown" : ""}`, "data-key": key, "data-bot-id": String(chat.bot_id), "aria-current": current }, avatar(id, name, chat.type === "private" ? "" : "square"), element("span", { class: "lines" }, first, second));
    main.addEventListener("click", () => this.app.open(key));
    const beside = open.has(key) ? null : iconButton("beside", `Open ${name} beside`, () => this.app.open(key, { beside: true }), { class: "iconic beside" });
    return element("li", {}, main, beside);
  }
}
