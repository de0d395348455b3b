// Dialogues of the left side: another person, a new group, help.

import { post } from "./api.js";
import { element, avatar } from "./dom.js";
import { fullName } from "./format.js";
import { menu } from "./menu.js";
import { attempt, dialogue, field } from "./toast.js";

const MOST_IN_MENU = 12;

export async function addPerson(session) {
  const first = element("input", { required: true, maxlength: "64", autocomplete: "off" });
  const last = element("input", { maxlength: "64", autocomplete: "off" });
  const username = element("input", { maxlength: "32", pattern: "[A-Za-z0-9_]*", autocomplete: "off" });
  const language = element("input", { maxlength: "8", value: navigator.language.split("-")[0], autocomplete: "off" });
  const fields = [field("First name", first), field("Last name", last), field("Username", username, "Optional, without @"), field("Language", language, "Two letters, as language_code")];
  const { closed } = dialogue("Add a person", fields, { label: "Add and become" });
  if ((await closed) !== "ok" || !first.value.trim()) return;
  await attempt(() => session.addPerson({ first_name: first.value.trim(), last_name: last.value.trim(), username: username.value.trim(), language_code: language.value.trim() }));
}

export function choosePerson(session, anchor, onChosen) {
  const others = session.people.filter(({ id }) => id !== session.person.id).slice(-MOST_IN_MENU);
  const entries = others.map((card) => ({ icon: "user", label: fullName(card), onclick: () => onChosen(card.id) }));
  entries.push({ icon: "add", label: "Add a person…", onclick: () => addPerson(session) });
  menu(anchor, "Who you are", entries);
}

function ticks(label, cards, chosen) {
  const boxes = cards.map((card) => {
    const box = element("input", { type: "checkbox", value: String(card.id), checked: chosen.has(card.id) });
    return element("label", { class: "tick" }, box, avatar(card.id, fullName(card), "small"), fullName(card));
  });
  const group = element("fieldset", {}, element("legend", {}, label), ...(boxes.length ? boxes : [element("small", {}, "None yet.")]));
  return { group, read: () => [...group.querySelectorAll("input:checked")].map(({ value }) => Number(value)) };
}

// Asks for a new group or channel; returns its id.
export async function newGroup(session) {
  const title = element("input", { required: true, maxlength: "128", autocomplete: "off" });
  const type = element("select", {}, ...[["group", "Group"], ["supergroup", "Supergroup"], ["channel", "Channel"]].map(([value, text]) => element("option", { value }, text)));
  const people = ticks("People", session.people.slice(-50), new Set([session.person.id]));
  const bots = ticks("Bots", session.bots.slice(0, 50).map((bot) => ({ id: bot.id, first_name: bot.name })), new Set(session.bots.length === 1 ? [session.bots[0].id] : []));
  const { closed } = dialogue("New group or channel", [field("Title", title), field("Kind", type), people.group, bots.group], { label: "Create" });
  if ((await closed) !== "ok" || !title.value.trim()) return 0;
  const order = { title: title.value.trim(), type: type.value, member_ids: people.read(), bot_ids: bots.read(), creator_id: session.person.id };
  const made = await attempt(() => post("/sim/groups", order));
  return made?.id ?? 0;
}

const KEYS = [
  ["Enter", "Send; Shift+Enter begins a new line"],
  ["Alt+1 … Alt+9", "Open a chat of the list"],
  ["↑ in an empty field", "Edit your last message"],
  ["↑ ↓ in the conversation", "Go from message to message; Enter opens its menu"],
  ["↑ ↓ in the list", "Go from chat to chat"],
  ["/", "Commands of the bot, while typing"],
  ["@bot and words", "Ask a bot for inline results, while typing"],
  ["Esc", "Close, or stop replying and editing"],
  ["?", "This help"],
];

export function help() {
  const rows = KEYS.flatMap(([key, text]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, text)]);
  const words = element("p", { class: "say" }, "You are a person in a Telegram of your own. Write to a bot, then open “Details” of a message to see the update it made, how it was delivered and what the bot called. The bolt lets things go wrong.");
  dialogue("Help", [words, element("dl", { class: "keys" }, ...rows)], { kind: "wide" });
}
