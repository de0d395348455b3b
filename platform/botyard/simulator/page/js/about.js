// About a chat: who is in it, its links, requests to join, and leaving or blocking.

import { copy } from "./details.js";
import { avatar, button, element, iconButton } from "./dom.js";
import { count, fullName } from "./format.js";
import { menu } from "./menu.js";
import { dialogue } from "./toast.js";

const STATUS = { creator: "owner", administrator: "administrator", restricted: "restricted", member: "" };
const LEADERS = ["creator", "administrator"];

function list(label, items) {
  return [element("h3", {}, label), element("ul", { class: "memberlist" }, ...items)];
}

function facts(pairs) {
  return element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

function line(card, ...more) {
  const address = card.username ? `@${card.username}` : `id ${card.id}`;
  const rank = card.title || STATUS[card.status];
  const texts = element("span", { class: "lines" }, element("strong", {}, fullName(card)), element("small", {}, [address, rank].filter(Boolean).join(" · ")));
  return element("li", {}, avatar(card.id, fullName(card), "small"), texts, ...more);
}

function privateParts(column, close) {
  const bot = column.app.session.bot(column.privateBot);
  const blocked = column.view?.blocked;
  const block = button(blocked ? "Unblock the bot" : "Block the bot", () => close() ?? column.acts.block(!blocked), { class: "quiet danger" });
  const pairs = [
    ["Username", `@${bot.username}`],
    ["Bot id", bot.id],
    ["Chat id", column.chatId],
    ["Updates", bot.delivery === "webhook" ? "by webhook" : "by getUpdates"],
    ["Waiting updates", bot.pending],
  ];
  return [bot.description ? element("p", { class: "say" }, bot.description) : "", facts(pairs), block];
}

// What a leader can do with a member.
function handling(card, act) {
  const order = (path, body) => () => act(path, { user_id: card.id, ...body });
  const entries = card.status === "administrator"
    ? [{ icon: "user", label: "Take the rank away", onclick: order("/sim/promote", { rights: {} }) }]
    : [{ icon: "check", label: "Make administrator", onclick: order("/sim/promote", {}) }];
  entries.push({ icon: "trash", label: "Remove from the chat", danger: true, onclick: order("/sim/remove", {}) });
  const more = iconButton("more", `What to do with ${fullName(card)}`, () => menu(more, fullName(card), entries), { "aria-haspopup": "menu", "aria-expanded": "false" });
  return more;
}

function asking(card, act) {
  const decide = (approved) => () => act("/sim/decide", { user_id: card.id, approved });
  return line(card, button("Let in", decide(true), { class: "quiet strong" }), button("Refuse", decide(false), { class: "quiet danger" }));
}

function adding(column, inside, act) {
  const bots = column.app.session.bots.map((bot) => ({ id: bot.id, first_name: bot.name }));
  const others = [...column.app.session.people, ...bots].filter(({ id }) => !inside.has(id));
  if (!others.length) return "";
  const select = element("select", { "aria-label": "Who to add" }, ...others.map((card) => element("option", { value: String(card.id) }, fullName(card))));
  return element("div", { class: "addrow" }, select, button("Add", () => act("/sim/add", { user_id: Number(select.value) }), { class: "quiet strong" }));
}

function linkLine(link, me, act) {
  const use = me ? "" : button("Join by it", () => act("/sim/join", { invite_link: link }), { class: "quiet strong" });
  return element("li", {}, element("code", { class: "address" }, link), button("Copy", () => copy(link)), use);
}

function groupParts(column, close) {
  const chat = column.view?.chat;
  if (!chat) return [element("p", { class: "say" }, "Nothing is known yet.")];
  const act = (path, body) => close() ?? column.acts.try(path, body);
  const me = chat.members.find(({ id }) => id === column.personId);
  const leads = LEADERS.includes(me?.status);
  const able = (card) => leads && card.id !== me.id && card.status !== "creator";
  const parts = [chat.description ? element("p", { class: "say" }, chat.description) : "", facts([["Chat id", chat.id]])];
  if (chat.requests.length) parts.push(...list("Want to join", chat.requests.map((card) => (leads ? asking(card, act) : line(card)))));
  parts.push(...list(count(chat.members_total, "member"), chat.members.map((card) => line(card, able(card) ? handling(card, act) : ""))));
  if (me) parts.push(adding(column, new Set(chat.members.map(({ id }) => id)), act));
  if (chat.links.length) parts.push(...list("Invite links", chat.links.map((link) => linkLine(link, me, act))));
  const ends = me ? button("Leave", () => close() ?? column.acts.leave(), { class: "quiet danger" }) : button("Join", () => act("/sim/join", {}), { class: "quiet strong" });
  parts.push(ends);
  return parts;
}

export function about(column) {
  let opened = null;
  const close = () => opened.made.close();
  const parts = column.isPrivate ? privateParts(column, close) : groupParts(column, close);
  opened = dialogue(column.title, parts, { kind: "about" });
}
