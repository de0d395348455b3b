// What stands behind a message: the raw updates, their deliveries, the bot's calls.

import { get } from "./api.js";
import { button, element, icon, iconButton } from "./dom.js";
import { at, exactTime, span } from "./format.js";
import { attempt, modal, toast } from "./toast.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not allow copying here.", "bad");
  }
}

function json(value, label) {
  const text = JSON.stringify(value, null, 2);
  const shown = element("pre", { tabindex: "0", "aria-label": label }, text);
  return element("div", { class: "json" }, iconButton("copy", `Copy: ${label}`, () => copy(text)), shown);
}

function badge(good, text) {
  return element("span", { class: `tag ${good ? "good" : "bad"}` }, text);
}

function delivery(event, number) {
  if (event.kind === "dropped") return element("li", {}, badge(false, "given up"), element("time", {}, exactTime(event.at)));
  const good = !event.error;
  const took = span(event.ended - event.started);
  const words = good ? `answered after ${took}` : `${event.error} after ${took}`;
  return element("li", {}, badge(good, event.status ? String(event.status) : "no answer"), element("span", {}, `Attempt ${event.attempt ?? number}: ${words}`), element("time", {}, exactTime(event.started)));
}

function call(event, start) {
  const outcome = event.ok ? "ok" : `${event.error_code}`;
  const after = start ? `+${span(Math.max(0, event.at - start))}` : exactTime(event.at);
  const said = event.ok ? (event.message_id ? `message ${event.message_id}` : "") : event.description ?? "";
  const head = element("summary", {}, badge(event.ok, outcome), element("strong", {}, event.method), element("span", { class: "said" }, said), element("time", {}, after));
  const unknown = event.unknown?.length ? element("p", { class: "said" }, `Parameters that Telegram does not know: ${event.unknown.join(", ")}`) : null;
  return element("details", {}, head, unknown, json(event.params, `Parameters of ${event.method}`));
}

function kindOf(update) {
  return Object.keys(update).find((name) => name !== "update_id") ?? "update";
}

function updateCard(event, found, column) {
  const attempts = found.deliveries.filter(({ update_id: id, bot_id: bot }) => id === event.update_id && bot === event.bot_id);
  const bot = column.app.session.bot(event.bot_id);
  const title = element("h3", {}, `Update ${event.update_id}`, element("small", {}, `${kindOf(event.update)} to @${bot?.username ?? event.bot_id}, ${exactTime(event.at)}`));
  const list = attempts.length
    ? element("ul", { class: "attempts" }, ...attempts.map(delivery))
    : element("p", { class: "said" }, bot?.delivery === "polling" ? "Fetched with getUpdates: there are no attempts to show." : "Not delivered yet.");
  const again = button("Deliver again", () => attempt(async () => {
    await column.acts.order("/sim/replay", { bot_id: event.bot_id, update_id: event.update_id, fresh: bot?.delivery === "polling" });
    toast("The update is on its way again.");
  }), { class: "quiet strong" });
  return element("section", { class: "update" }, title, list, json(event.update, `Update ${event.update_id}`), again);
}

function part(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

function draw(box, found, message, column) {
  const start = found.updates[0]?.at;
  const nothing = element("p", { class: "said" }, "No update belongs to this message.");
  const calls = found.calls.map((event) => call(event, start));
  box.replaceChildren(
    ...(found.updates.length ? found.updates.map((event) => updateCard(event, found, column)) : [nothing]),
    part("Calls of the bot", element("p", { class: "said" }, "A call does not say which update it answers: shown are those up to the chat's next update."), calls.length ? element("div", { class: "calls" }, ...calls) : element("p", { class: "said" }, "None.")),
    part("Message as Telegram shows it", json(message, "Message")),
  );
}

// Opens the sheet for a message; it is modal, so the focus stays inside and comes back.
export async function details(message, column) {
  const box = element("div", { class: "sheetbody" }, element("p", { class: "said" }, "Looking…"));
  const close = iconButton("close", "Close the details", () => sheet.close());
  const stamp = element("time", { datetime: at(message.date).toISOString() }, exactTime(message.date));
  const head = element("header", {}, icon("code"), element("h2", { id: "details-title" }, `Message ${message.message_id}`), stamp, close);
  const sheet = element("dialog", { class: "sheet", "aria-labelledby": "details-title" }, head, box);
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
  modal(sheet);
  const query = { bot_id: column.botId, chat_id: column.chatId, message_id: message.message_id };
  const found = await attempt(() => get("/sim/trace", query));
  if (found) draw(box, found, message, column);
  else sheet.close();
}
