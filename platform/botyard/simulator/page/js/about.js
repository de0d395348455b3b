// About a chat: who is in it, its links, requests to join, and leaving or blocking.

import { copy } from "./details.js";
import { avatar, button, element } from "./dom.js";
import { count, fullName } from "./format.js";
import { dialogue } from "./toast.js";

const STATUS = { creator: "owner", administrator: "administrator", restricted: "restricted", member: "" };

function list(label, items) {
  return [element("h3", {}, label), element("ul", { class: "memberlist" }, ...items)];
}

function person(card, ...more) {
  const line = card.username ? `@${card.username}` : `id ${card.id}`;
  return element("li", {}, avatar(card.id, fullName(card), "small"), element("span", { class: "lines" }, element("strong", {}, fullName(card)), element("small", {}, [line, card.title || STATUS[card.status]].filter(Boolean).join(" · "))), ...more);
}

function privateParts(column, close) {
  const bot = column.app.session.bot(column.privateBot);
  const facts = [["Username", `@${bot.username}`], ["Bot id", bot.id], ["Chat id", column.chatId], ["Updates", bot.delivery === "webhook" ? "by webhook" : "by getUpdates"], ["Waiting updates", bot.pending]];
  const rows = facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
  const blocked = column.view?.blocked;
  const block = button(blocked ? "Unblock the bot" : "Block the bot", () => close() ?? column.acts.block(!blocked), { class: "quiet danger" });
  return [bot.description ? element("p", { class: "say" }, bot.description) : "", element("dl", {}, ...rows), block];
}

function groupParts(column, close) {
  const chat = column.view?.chat;
  if (!chat) return [element("p", { class: "say" }, "Nothing is known yet.")];
  const act = (path, body) => close() ?? column.acts.try(path, body);
  const me = chat.members.find(({ id }) => id === column.personId);
  const rows = [["Chat id", chat.id], ["Members", chat.members_total]].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
  const parts = [chat.description ? element("p", { class: "say" }, chat.description) : "", element("dl", {}, ...rows)];
  const inside = new Set(chat.members.map(({ id }) => id));
  const others = [...column.app.session.people, ...column.app.session.bots.map((bot) => ({ ...bot, first_name: bot.name }))].filter(({ id }) => !inside.has(id));
  if (chat.requests?.length) {
    parts.push(...list("Want to join", chat.requests.map((card) => person(card))));
  }
  parts.push(...list(count(chat.members_total, "member"), chat.members.map((card) => person(card))));
  if (others.length && me) {
    const select = element("select", { "aria-label": "Who" }, ...others.map((card) => element("option", { value: String(card.id) }, fullName(card))));
    parts.push(element("div", { class: "addrow" }, select, button("Add", () => act("/sim/add", { user_id: Number(select.value) }), { class: "quiet strong" })));
  }
  if (chat.links?.length) parts.push(...list("Invite links", chat.links.map((link) => element("li", {}, element("code", { class: "address" }, link), button("Copy", () => copy(link))))));
  parts.push(me ? button("Leave", () => close() ?? column.acts.leave(), { class: "quiet danger" }) : button("Join", () => act("/sim/join", {}), { class: "quiet strong" }));
  return parts;
}

export function about(column) {
  let opened = null;
  const close = () => opened.made.close();
  const parts = column.isPrivate ? privateParts(column, close) : groupParts(column, close);
  opened = dialogue(column.title, parts, { kind: "about" });
}
