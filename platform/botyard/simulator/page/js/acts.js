// What a person does in a chat, as orders to the simulator.

import { about } from "./about.js";
import { readBase64 } from "./attachments.js";
import { Refused } from "./api.js";
import { copy, details } from "./details.js";
import { element } from "./dom.js";
import { money, summary } from "./format.js";
import { menu } from "./menu.js";
import { agree, answered, chooseShipping, madeUp } from "./asking.js";
import { location, openApp } from "./replies.js";
import { attempt, dialogue, sure, toast } from "./toast.js";

const EMOJI = ["👍", "👎", "❤", "🔥", "🎉", "😁", "😢", "🙏"];
// Telegram, too, gives up after some seconds: the bot may have failed, and the button can be pressed again.
const ANSWER_AWAITED = 15000;
// Which kinds an album may mix (sendMediaGroup).
const ALBUMS = [["photo", "video"], ["audio"], ["document"]];

// What somebody else wrote, or a bot, is not changed by who sent it on.
export const editable = (message) => !message.forward_origin && !message.via_bot;

export class Acts {
  constructor(column) {
    this.column = column;
    this.waiting = new Map();
    this.pressing = 0;
    this.told = new Set();
    this.summary = summary;
    this.say = (text) => column.say(text);
    this.copy = copy;
    this.onOpen = (url, label) => this.picture(url, label);
    this.onVote = (message, options) => this.vote(message, options);
  }

  // Carries out one order; the chat, the bot and the person are added.
  order(path, body) {
    const { column } = this;
    return column.app.session.act(column.personId, path, { bot_id: column.botId, chat_id: column.chatId, ...body });
  }

  try(path, body) {
    return attempt(() => this.order(path, body));
  }

  send(content, replyTo = null) {
    const reply = replyTo ? { reply_to: replyTo.message_id } : {};
    return this.try("/sim/send", { ...content, ...reply });
  }

  async sendFiles(files, caption, replyTo) {
    return attempt(async () => {
      const read = async ({ file, kind }) => ({ kind, file: { name: file.name, mime_type: file.type, base64: await readBase64(file) } });
      const items = await Promise.all(files.map(read));
      items[0].caption = caption;
      const reply = replyTo ? { reply_to: replyTo.message_id } : {};
      if (items.length > 1 && ALBUMS.some((kinds) => items.every(({ kind }) => kinds.includes(kind)))) return this.order("/sim/send", { items, ...reply });
      for (const item of items) await this.order("/sim/send", { ...item, ...reply });
      return true;
    });
  }

  edit(message, text) {
    return this.try("/sim/edit", { message_id: message.message_id, text });
  }

  async remove(message) {
    await this.try("/sim/delete", { message_id: message.message_id });
  }

  react(message, emoji) {
    const mine = (message.reactions ?? []).find(({ from }) => from.id === this.column.personId)?.reaction ?? [];
    const again = mine.some((one) => one.emoji === emoji);
    return this.try("/sim/react", { message_id: message.message_id, emoji: again ? "" : emoji });
  }

  vote(message, options) {
    return this.try("/sim/vote", { message_id: message.message_id, options });
  }

  async press(message, data, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    this.pressing += 1;
    const pressed = await this.try("/sim/press", { message_id: message.message_id, data });
    this.pressing -= 1;
    const id = pressed?.callback_query_id;
    if (!id) {
      button.removeAttribute("aria-busy");
      return;
    }
    this.waiting.set(id, button);
    setTimeout(() => this.release(id), ANSWER_AWAITED);
    this.answers(this.column.view?.answers);
  }

  // Ends the spinner of a press; tells whether it was still waited for.
  release(id) {
    this.waiting.get(id)?.removeAttribute("aria-busy");
    return this.waiting.delete(id);
  }

  // Ends the spinners of answered presses and shows what the bot said.
  answers(all = [], old = false) {
    for (const answer of all) {
      const id = answer.callback_query_id;
      if (this.told.has(id)) continue;
      // A quick bot answers before the page knows under which id the press goes.
      if (!old && this.pressing && !this.waiting.has(id)) continue;
      this.told.add(id);
      if (!this.release(id) || old) continue;
      if (answer.text && answer.show_alert) dialogue(this.column.title, element("p", { class: "say" }, answer.text), { label: "OK", kind: "alert" });
      else if (answer.text) toast(answer.text);
      if (answer.url) toast(`The bot opens ${answer.url}`);
    }
  }

  async pressReply(message, key, asks) {
    // In a group the apps answer the keyboard's message, so that a bot in privacy mode hears it.
    if (!asks) return this.column.say(key.text, this.column.isPrivate ? null : message);
    const given = await this.given(key, asks);
    return given && this.try("/sim/tap", { bot_id: message.from.id, text: key.text, ...given });
  }

  // What a person shares by a button that asks for something; nothing if they would rather not.
  async given(key, asks) {
    if (asks === "request_location") {
      const place = await location();
      return place && { location: place };
    }
    if (asks === "web_app") {
      const data = await openApp(key.text, key.web_app.url, true);
      return data && { data };
    }
    return asks === "request_users" || asks === "request_chat" ? this.share(key, asks) : {};
  }

  async share(key, asks) {
    const { session } = this.column.app;
    const chats = asks === "request_chat";
    const all = chats ? session.chats.filter(({ type }) => type !== "private") : [...session.people, ...session.bots.map((bot) => ({ ...bot, first_name: bot.name }))];
    const options = all.map((one) => element("option", { value: String(one.chat_id ?? one.id) }, one.title || one.first_name));
    const most = key[asks].max_quantity ?? 1;
    const select = element("select", { multiple: most > 1, "aria-label": chats ? "Chat" : "People" }, ...options);
    const { closed } = dialogue(key.text, select, { label: "Share" });
    if ((await closed) !== "ok") return null;
    const ids = [...select.selectedOptions].map(({ value }) => Number(value));
    return chats ? { shared_chat_id: ids[0] } : { user_ids: ids };
  }

  search(message, query) {
    const bot = message.via_bot ?? message.from;
    this.column.composer.put(`@${bot.username} ${query}`);
    this.column.composer.field.focus();
  }

  // Asks a bot for inline results; each can be picked, which sends it.
  async inline(username, query) {
    const { column } = this;
    const bot = column.inlineBot(username);
    const kind = !column.isPrivate ? column.view?.chat?.type : bot.id === column.privateBot ? "sender" : "private";
    return attempt(async () => {
      const asked = await this.order("/sim/inline", { bot_id: bot.id, query, chat_type: kind });
      const { state, answer } = await answered(asked.query_id);
      if (state !== "answered") throw new Refused(0, `@${bot.username} does not answer`);
      return answer.results.map((result) => ({
        title: result.title ?? result.type.replaceAll("_", " "),
        text: result.description ?? "",
        pick: () => this.try("/sim/inline/choose", { query_id: asked.query_id, result_id: result.id }),
      }));
    });
  }

  async pay(message) {
    const { invoice } = message;
    if (!(await agree(invoice, money(invoice.total_amount, invoice.currency)))) return;
    await attempt(async () => {
      const order = { message_id: message.message_id, order_info: madeUp(this.name) };
      let asked = await this.order("/sim/pay", order);
      let found = await answered(asked.query_id);
      if (found.state === "offered") {
        const option = await chooseShipping(found.answer.options, invoice.currency);
        if (!option) return;
        asked = await this.order("/sim/pay/ship", { query_id: asked.query_id, option_id: option });
        found = await answered(asked.query_id);
      }
      if (found.state === "paid") toast("Paid. The test provider took no money.");
      else if (found.state === "refused") toast(`The bot refuses: ${found.answer.error || "no reason given"}`, "bad");
      else throw new Refused(0, "The bot did not confirm the payment in time");
    });
  }

  openApp(text, url) {
    return openApp(text, url);
  }

  play(message, button) {
    return this.press(message, "", button);
  }

  unknown(key) {
    toast(`“${key.text}” does nothing here.`);
  }

  block(blocked) {
    if (!this.column.isPrivate) return toast("Only a private chat can be blocked.", "bad");
    return this.try("/sim/block", { blocked });
  }

  migrate() {
    if (this.column.isPrivate) return toast("Only a group becomes a supergroup: open one first.", "bad");
    return this.try("/sim/migrate", {});
  }

  join() {
    return this.try("/sim/join", {});
  }

  revive() {
    return this.try("/sim/deactivate", { deactivated: false });
  }

  get name() {
    return this.column.app.session.named(this.column.personId);
  }

  // What keeps the person from writing: [words, action, what it does].
  obstacle(view) {
    const { column } = this;
    if (column.app.session.card(column.personId)?.deactivated) return ["This account is deleted.", "Have it back", () => this.revive()];
    if (view.blocked) return ["You have blocked this bot.", "Unblock the bot", () => this.block(false)];
    if (column.isPrivate || !view.chat) return null;
    const me = view.chat.members.find(({ id }) => id === column.personId);
    if (!me && view.chat.members_total <= view.chat.members.length) return ["You are not a member.", "Join", () => this.join()];
    if (!view.chat.members.some(({ is_bot: isBot }) => isBot) && me) return ["No bot is here to hear you.", "Add a bot", () => this.about()];
    if (view.chat.type === "channel" && me && !["creator", "administrator"].includes(me.status)) return ["Only administrators write here."];
    return null;
  }

  jump(messageId) {
    if (!this.column.timeline.jump(messageId)) toast("That message is further up, or deleted.");
  }

  noted(note) {
    const message = this.column.view.messages.find(({ message_id: id }) => id === note.message_id);
    if (message) details(message, this.column);
    else toast("The message of this update is not shown any more.");
  }

  menu(messages, anchor) {
    const [message] = messages;
    const own = message.from?.id === this.column.personId && !message.sender_chat;
    const told = messages.find(({ text, caption }) => text || caption);
    const entries = [
      { icon: "code", label: "Details", onclick: () => details(message, this.column) },
      { icon: "reply", label: "Reply", onclick: () => this.column.composer.reply(message) },
    ];
    if (told) entries.push({ icon: "copy", label: "Copy text", onclick: () => copy(told.text ?? told.caption) });
    if (own && told && editable(told)) entries.push({ icon: "edit", label: "Edit", onclick: () => this.column.composer.edit(told) });
    const me = this.column.view.chat?.members.find(({ id }) => id === this.column.personId);
    if (!this.column.isPrivate && ["creator", "administrator"].includes(me?.status)) {
      entries.push({ icon: "pin", label: "Pin", onclick: () => this.try("/sim/pin", { message_id: message.message_id }) });
    }
    if (own || this.column.isPrivate) {
      entries.push({ icon: "trash", label: "Delete", danger: true, onclick: () => messages.forEach((one) => this.remove(one)) });
    }
    const faces = EMOJI.map((emoji) => {
      const face = element("button", { type: "button", role: "menuitem", "aria-label": `React with ${emoji}` }, emoji);
      face.addEventListener("click", () => {
        close();
        this.react(message, emoji);
      });
      return face;
    });
    const close = menu(anchor, "Message", entries, element("div", { class: "faces", role: "group", "aria-label": "Reactions" }, ...faces));
  }

  picture(url, label) {
    dialogue(label, element("img", { src: url, alt: label, class: "whole" }), { kind: "lightbox" });
  }

  about() {
    return about(this.column);
  }

  async leave() {
    const { column } = this;
    if (await sure(`Leave ${column.title}?`, "You can join again later.", "Leave")) await this.try("/sim/leave", {});
  }
}
