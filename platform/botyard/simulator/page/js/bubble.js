// One message, or one album, as a bubble.

import { avatar, element, icon, iconButton, lasting, nameClass } from "./dom.js";
import { content, isVisual } from "./content.js";
import { rich } from "./entities.js";
import { at, count, fullName, sender, summary, time } from "./format.js";
import { inlineRows } from "./buttons.js";

function quote(message, acts) {
  const original = message.reply_to_message;
  if (!original && !message.quote) return null;
  const name = element("strong", {}, original ? fullName(sender(original)) : "Quote");
  const words = message.quote?.text ?? (original ? summary(original) : "");
  const made = element("button", { type: "button", class: "quote" }, name, element("span", {}, words));
  made.setAttribute("aria-label", `In reply to ${name.textContent}: ${words}`);
  if (original) made.addEventListener("click", () => acts.jump(original.message_id));
  return made;
}

function origin(message) {
  const from = message.forward_origin;
  if (!from) return null;
  const name = from.sender_user ?? from.sender_chat ?? from.chat;
  return element("div", { class: "origin" }, `Forwarded from ${name ? fullName(name) : from.sender_user_name ?? "somebody"}`);
}

function meta(messages) {
  const message = messages.at(-1);
  const edited = messages.some(({ edit_date: date }) => date);
  const stamp = element("time", { datetime: at(message.date).toISOString() }, time(message.date));
  const line = element("div", { class: "meta" });
  if (message.author_signature) line.append(element("span", {}, message.author_signature));
  if (message.has_protected_content) line.append(element("span", { title: "Cannot be forwarded" }, "protected"));
  if (edited) line.append(element("span", { class: "edited" }, "edited"));
  line.append(stamp);
  return line;
}

const shape = ({ type, emoji, custom_emoji_id: id }) => emoji ?? (type === "paid" ? "⭐" : `custom ${id}`);

// Reactions with how many and who; pressing one adds or takes back one's own.
function reactions(message, personId, acts) {
  const found = new Map();
  for (const { from, reaction } of message.reactions ?? []) {
    for (const one of reaction) {
      const known = found.get(shape(one)) ?? { who: [], mine: false };
      known.who.push(fullName(from));
      known.mine ||= from.id === personId;
      found.set(shape(one), known);
    }
  }
  if (found.size === 0) return null;
  const chips = [...found].map(([emoji, { who, mine }]) => {
    const label = `${emoji}, ${count(who.length, "reaction")}: ${who.join(", ")}`;
    const attributes = { type: "button", class: "reaction", "aria-pressed": String(mine), "aria-label": label, title: who.join(", ") };
    const made = element("button", attributes, element("span", {}, emoji), element("span", {}, String(who.length)));
    made.addEventListener("click", () => acts.react(message, mine ? "" : emoji));
    return made;
  });
  return element("div", { class: "reactions", role: "group", "aria-label": "Reactions" }, ...chips);
}

function body(messages, acts) {
  const [first] = messages;
  const parts = messages.map((message) => content(message, acts)).filter(Boolean);
  const visual = messages.length > 1 && messages.every(isVisual);
  const album = parts.length > 1 ? element("div", { class: visual ? `album n${Math.min(parts.length, 4)}` : "pile" }, ...parts) : parts[0];
  const told = messages.find(({ text, caption }) => text || caption) ?? first;
  const text = told.text ?? told.caption;
  const entities = told.entities ?? told.caption_entities;
  const words = text ? lasting(element("div", { class: "text" }, rich(text, entities, acts.say)), text, entities) : null;
  return first.show_caption_above_media ? [words, album] : [album, words];
}

const bare = (message) => Boolean((message.sticker || message.dice || message.video_note) && !message.reply_to_message);

export function bubble(messages, { personId, shared, joined, pinned, acts }) {
  const [message] = messages;
  const from = sender(message);
  const own = message.from?.id === personId && !message.sender_chat;
  const kind = message.from?.is_bot ? "bot" : "person";
  const named = shared && !own && !joined;
  const made = element(
    "div",
    { class: `bubble${bare(message) ? " bare" : ""}${isVisual(message) ? " visual" : ""}`, "data-from": kind, "data-message-id": String(message.message_id) },
    element("span", { class: "unseen" }, `${own ? "You" : fullName(from)}: `),
    named ? element("div", { class: nameClass(from.id), "aria-hidden": "true" }, fullName(from)) : null,
    message.via_bot ? element("div", { class: "origin" }, `via @${message.via_bot.username}`) : null,
    origin(message),
    quote(message, acts),
    ...body(messages, acts),
    meta(messages),
  );
  const more = iconButton("more", "More about this message", () => acts.menu(messages, more), { class: "more", tabindex: "-1", "aria-haspopup": "menu", "aria-expanded": "false" });
  const line = element("div", { class: "line" }, made, more);
  const item = element(
    "li",
    { class: `item${own ? " own" : ""}${joined ? " joined" : ""}`, tabindex: "-1", "data-id": String(message.message_id) },
    shared && !own ? (joined ? element("span", { class: "gap" }) : avatar(from.id, fullName(from), "small")) : null,
    element("div", { class: "stack" }, line, reactions(messages.at(-1), personId, acts), inlineRows(messages.at(-1), acts)),
  );
  if (pinned) made.append(element("span", { class: "pinned", title: "Pinned" }, icon("pin"), element("span", { class: "unseen" }, "Pinned")));
  item.addEventListener("contextmenu", (event) => {
    if (event.target.closest("a, img, video, audio") || String(getSelection())) return;
    event.preventDefault();
    acts.menu(messages, more);
  });
  return item;
}

export function happened(text, messages, acts) {
  const item = element("li", { class: "service", tabindex: "-1", "data-id": String(messages[0].message_id) });
  const details = iconButton("more", "More about this message", () => acts.menu(messages, details), { class: "more", tabindex: "-1", "aria-haspopup": "menu", "aria-expanded": "false" });
  item.append(element("span", {}, text), details);
  return item;
}

export function note({ title, text, update_id: updateId }, onDetails) {
  const body_ = text ? element("details", {}, element("summary", {}, "Traceback"), element("pre", { tabindex: "0", "aria-label": "Text of the error" }, text)) : null;
  const head = element("div", { class: "notehead" }, icon("bolt"), element("strong", {}, title));
  const foot = updateId ? element("button", { type: "button", class: "linkish", onclick: onDetails }, `Update ${updateId}`) : null;
  return element("li", { class: "note", tabindex: "-1" }, element("div", { role: "group", "aria-label": `Error: ${title}` }, head, body_, foot));
}
