// One open chat: its head, its conversation, its field; and who acts in it.

import { Acts, editable } from "./acts.js";
import { get } from "./api.js";
import { ReplyKeyboard } from "./buttons.js";
import { Composer } from "./composer.js";
import { avatar, button, element, icon, iconButton } from "./dom.js";
import { count, fullName } from "./format.js";
import { Timeline } from "./timeline.js";

const STEP = 200;
const ACTIONS = {
  typing: "is typing", upload_photo: "is sending a photo", record_video: "is recording a video", upload_video: "is sending a video",
  record_voice: "is recording a voice message", upload_voice: "is sending a voice message", upload_document: "is sending a file",
  choose_sticker: "is choosing a sticker", find_location: "is looking for a place", record_video_note: "is recording a video message",
  upload_video_note: "is sending a video message",
};

export class Column {
  constructor(app, { key, personId, number }) {
    Object.assign(this, { app, key, personId, number, limit: STEP, view: null, version: null, first: 0 });
    const [botId, chatId] = key.split(":").map(Number);
    this.chatId = chatId;
    this.privateBot = botId;
    this.acts = new Acts(this);
    this.build();
    this.timeline = new Timeline(this.scroller, this.list, this.acts);
    this.keyboard = new ReplyKeyboard(this.keys, (message, pressed, asks) => this.acts.pressReply(message, pressed, asks));
    this.composer.restore(app.memory.draft(personId, key));
    this.seen = app.memory.seen(personId, key);
    this.head();
    this.refresh();
  }

  // The first column has the plain names.
  id(name) {
    return this.number ? `${name}-${this.number + 1}` : name;
  }

  get entry() {
    return this.app.session.chat(this.key);
  }

  get botId() {
    return this.privateBot || this.entry?.bot_id || 0;
  }

  get bots() {
    const inside = this.view?.chat?.members?.filter(({ is_bot: isBot }) => isBot).map(({ id }) => id) ?? [this.botId];
    return inside.map((id) => this.app.session.bot(id)).filter(Boolean);
  }

  get isPrivate() {
    return this.chatId > 0;
  }

  get title() {
    if (this.isPrivate) return this.app.session.bot(this.privateBot)?.name ?? "Bot";
    return this.view?.chat?.title ?? this.entry?.title ?? "Chat";
  }

  inlineBot(username) {
    return this.app.session.bots.find((bot) => bot.inline && bot.username.toLowerCase() === username.toLowerCase());
  }

  build() {
    this.list = element("ol", { class: "messages" });
    const log = element("div", { role: "log", "aria-label": "Messages", "aria-live": "polite" }, this.list);
    this.earlier = button("Show earlier messages", () => this.more(), { class: "quiet earlier", hidden: true });
    this.empty = element("div", { class: "empty", hidden: true });
    this.typing = element("div", { class: "typing", hidden: true }, element("span", { class: "dots", "aria-hidden": "true" }, element("i"), element("i"), element("i")), element("span"));
    this.scroller = element("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Conversation" }, this.earlier, this.empty, log, this.typing);
    this.composer = new Composer(this);
    this.keys = element("div", { class: "keyboard", role: "group", "aria-label": "Suggested answers", hidden: true });
    this.bar = element("div", { class: "bar", hidden: true });
    this.top = element("header", { class: "head" });
    this.pins = element("div", { class: "pins", hidden: true });
    const foot = element("div", { class: "foot" }, this.composer.node, this.keys, this.bar);
    const body = element("div", { class: "body" }, this.scroller);
    this.node = element("section", { class: "column", "aria-label": "Chat" }, this.top, this.pins, body, foot);
    this.node.addEventListener("focusin", () => this.app.activate(this));
    this.node.addEventListener("dragover", (event) => event.preventDefault());
    this.node.addEventListener("drop", (event) => this.composer.take(event, event.dataTransfer.files));
  }

  // Bots and people are new.
  known() {
    this.head();
    if (this.view) this.showFoot(this.view);
  }

  head() {
    const subtitle = element("p", { class: "subtitle" }, this.subtitle());
    const title = element("h2", {}, this.title);
    const as = this.isPrivate ? null : this.actingAs();
    const mine = this.isPrivate && this.personId !== this.app.session.person?.id;
    const parts = [
      iconButton("back", "Back to the list", () => this.app.showList(), { class: "iconic onlynarrow" }),
      avatar(this.isPrivate ? this.privateBot : this.chatId, this.title, this.isPrivate ? "" : "square"),
      element("div", { class: "names" }, title, subtitle),
      mine ? element("span", { class: "as" }, `as ${this.app.session.named(this.personId)}`) : as,
      iconButton("info", "About this chat", () => this.acts.about()),
      iconButton("close", "Close this chat", () => this.app.close(this), { class: "iconic closer" }),
    ];
    const sign = JSON.stringify([this.title, subtitle.textContent, mine, this.personId, as?.textContent]);
    if (sign === this.headSign) return;
    this.headSign = sign;
    this.node.setAttribute("aria-label", `Chat ${this.title}`);
    this.scroller.setAttribute("aria-label", `Conversation in ${this.title}`);
    this.top.replaceChildren(...parts.filter(Boolean));
  }

  subtitle() {
    if (this.isPrivate) return `@${this.app.session.bot(this.privateBot)?.username ?? ""}`;
    const kind = { group: "Group", supergroup: "Supergroup", channel: "Channel" }[this.view?.chat?.type] ?? "Group";
    return `${kind}, ${count(this.view?.chat?.members_total ?? 0, this.view?.chat?.type === "channel" ? "subscriber" : "member")}`;
  }

  actingAs() {
    const inside = new Set(this.view?.chat?.members?.map(({ id }) => id));
    const people = this.app.session.people.filter(({ id }) => inside.has(id) || id === this.personId);
    if (people.length < 2) return people.length ? element("span", { class: "as" }, `as ${fullName(people[0])}`) : null;
    const options = people.map((card) => element("option", { value: String(card.id), selected: card.id === this.personId }, `as ${fullName(card)}`));
    const select = element("select", { class: "as", "aria-label": "You act as" }, ...options);
    select.addEventListener("change", () => this.become(Number(select.value)));
    return select;
  }

  become(personId) {
    this.personId = personId;
    this.composer.restore(this.app.memory.draft(personId, this.key));
    this.headSign = "";
    this.app.remember();
    this.refresh();
  }

  // Asks again for the chat; wishes that come meanwhile are fulfilled by one more request.
  async refresh() {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    const query = { bot_id: this.botId, chat_id: this.chatId, person_id: this.personId, limit: this.limit + this.arrived };
    // The feed notices when the simulator is away, and asks again when it is back.
    const view = await get("/sim/view", query).catch(() => null);
    this.asking = false;
    if (view) this.show(view);
    if (this.again) {
      this.again = false;
      this.refresh();
    }
  }

  // What came since the chat was opened pushes nothing out of it.
  get arrived() {
    return this.first ? Math.max(0, this.timeline.newest + 1 - this.first) : 0;
  }

  more() {
    this.limit += STEP;
    this.refresh();
  }

  show(view) {
    if (view.version < this.version && view.messages.length === 0) this.timeline.clear();
    const before = this.timeline.newest;
    const first = this.view === null;
    this.view = view;
    if (first) this.first = view.messages.at(-1)?.message_id ?? 0;
    this.version = view.version;
    if (view.chat?.migrated_to) {
      this.app.migrated(this, view.chat.migrated_to);
      return;
    }
    this.head();
    this.showPins(view);
    this.timeline.show(view, { personId: this.personId, seen: this.seen });
    this.earlier.hidden = !view.earlier;
    this.showEmpty(view);
    this.showTyping(view.action);
    this.showFoot(view);
    this.composer.setCommands(view.commands ?? [], this.isPrivate ? this.app.session.bot(this.privateBot)?.menu_button : null);
    this.acts.answers(view.answers, first);
    this.ask(view, before, first);
    this.look();
    if (this.app.active === this) this.app.faults.suit(this);
  }

  showFoot(view) {
    const [text, action, onclick] = this.acts.obstacle(view) ?? [];
    this.bar.hidden = !text;
    const bar = JSON.stringify([text, action]);
    if (bar !== this.barSign) this.bar.replaceChildren(...(text ? [element("span", {}, text), action ? button(action, onclick, { class: "primary" }) : ""] : []));
    this.barSign = bar;
    this.composer.node.hidden = Boolean(text);
    this.composer.placeholder(this.keyboard.show(view.messages, Boolean(text)) ?? this.forced?.input_field_placeholder);
  }

  // A bot may ask for a reply to its message.
  ask(view, before, first) {
    const newest = view.messages.at(-1);
    if (first || !newest || newest.message_id <= before) return;
    this.forced = newest.reply_markup?.force_reply ? newest.reply_markup : null;
    // Who is changing a message, or typing somewhere else, is not disturbed.
    if (!this.forced || this.composer.editing) return;
    const { activeElement } = document;
    const idle = activeElement === document.body || this.node.contains(activeElement);
    this.composer.reply(newest, { focus: idle && this.app.active === this });
    this.composer.placeholder(this.forced.input_field_placeholder);
  }

  showEmpty(view) {
    const show = view.messages.length === 0 && !view.notes?.length;
    this.empty.hidden = !show;
    if (!show || this.empty.childElementCount) return;
    const bot = this.app.session.bot(this.privateBot);
    const words = bot?.description || `This is the beginning of ${this.isPrivate ? `your chat with ${this.title}` : this.title}.`;
    const start = this.isPrivate ? button("Start", () => this.say("/start"), { class: "primary", id: this.id("start") }) : null;
    this.empty.replaceChildren(avatar(this.isPrivate ? this.privateBot : this.chatId, this.title, "large"), element("p", {}, words), start ?? "");
  }

  showPins(view) {
    const pinned = view.chat?.pinned?.at(-1);
    const message = view.messages.find(({ message_id: id }) => id === pinned);
    this.pins.hidden = !message;
    if (message) this.pins.replaceChildren(icon("pin"), button(this.acts.summary(message), () => this.timeline.jump(pinned), { class: "linkish", "aria-label": `Pinned: ${this.acts.summary(message)}` }));
  }

  showTyping(action) {
    clearTimeout(this.typingEnds);
    this.typing.hidden = !action;
    if (!action) return;
    const who = this.isPrivate ? this.title : this.bots.length === 1 ? this.bots[0].name : "A bot";
    this.typing.lastChild.textContent = `${who} ${ACTIONS[action.action] ?? action.action.replaceAll("_", " ")}…`;
    this.typingEnds = setTimeout(() => (this.typing.hidden = true), action.seconds * 1000);
    if (this.timeline.stuck) this.timeline.toEnd();
  }

  // What is on the screen counts as seen.
  look() {
    const newest = this.view?.messages.at(-1)?.message_id ?? 0;
    if (document.hidden || !this.node.checkVisibility()) return;
    this.app.memory.see(this.personId, this.key, newest);
    this.app.list.draw();
  }

  async say(text, replyTo = null) {
    if (!text.trim()) return false;
    return this.acts.send({ text }, replyTo);
  }

  keepDraft(text) {
    this.app.memory.keepDraft(this.personId, this.key, text);
  }

  lastOwn() {
    return this.view?.messages.findLast((message) => message.from?.id === this.personId && (message.text || message.caption) && !message.sender_chat && editable(message));
  }

  leave() {
    this.node.remove();
  }
}
