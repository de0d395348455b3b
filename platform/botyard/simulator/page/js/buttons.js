// Inline keyboards below messages and reply keyboards below the conversation.

import { element, icon, link } from "./dom.js";
import { money } from "./format.js";

const ASKS = {
  request_contact: { icon: "user", hint: "Sends your contact" },
  request_location: { icon: "place", hint: "Sends a location" },
  request_users: { icon: "group", hint: "Shares people" },
  request_chat: { icon: "group", hint: "Shares a chat" },
  request_poll: { icon: "check", hint: "Makes a poll" },
  web_app: { icon: "code", hint: "Opens a Mini App" },
};

// Telegram writes the price on the button of an invoice in its own way.
function words({ text, pay }, { invoice }) {
  return pay && invoice && text === `Pay ${invoice.currency} ${invoice.total_amount}` ? `Pay ${money(invoice.total_amount, invoice.currency)}` : text;
}

function inlineButton(message, key, acts) {
  const text = words(key, message);
  const { url, login_url: login, web_app: app, callback_data: data, copy_text: copy, pay } = key;
  const search = key.switch_inline_query_current_chat ?? key.switch_inline_query ?? key.switch_inline_query_chosen_chat?.query;
  const address = url ?? login?.url;
  if (address) return link(address, `${text} ↗`, { class: "inline" });
  const made = element("button", { type: "button", class: "inline" }, element("span", {}, text));
  if (data !== undefined) made.addEventListener("click", () => acts.press(message, data, made));
  else if (copy) {
    made.append(icon("copy"));
    made.addEventListener("click", () => acts.copy(copy.text));
  } else if (app) made.addEventListener("click", () => acts.openApp(text, app.url));
  else if (search !== undefined) made.addEventListener("click", () => acts.search(message, search));
  else if (key.callback_game) made.addEventListener("click", () => acts.play(message, made));
  else if (pay) made.addEventListener("click", () => acts.pay(message));
  else made.addEventListener("click", () => acts.unknown(key));
  return made;
}

export function inlineRows(message, acts) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  const lines = rows.map((row) => element("div", { class: "row" }, ...row.map((key) => inlineButton(message, key, acts))));
  return element("div", { class: "inlinerows", role: "group", "aria-label": "Buttons" }, ...lines);
}

const holdsKeyboard = ({ from, reply_markup: markup }) => from?.is_bot && Boolean(markup?.keyboard ?? markup?.remove_keyboard);

// The reply keyboard of a chat: the newest one that a bot sent and did not take back.
export class ReplyKeyboard {
  constructor(box, onPress) {
    this.box = box;
    this.onPress = onPress;
    this.used = new Set();
    this.sign = "";
  }

  // Returns the words for the empty field, if the bot gave any.
  show(messages, blocked) {
    const message = blocked ? undefined : messages.findLast(holdsKeyboard);
    const markup = message?.reply_markup;
    const rows = this.used.has(message?.message_id) && markup.one_time_keyboard ? null : markup?.keyboard;
    const sign = rows ? JSON.stringify([message.message_id, markup]) : "";
    if (sign !== this.sign) {
      this.sign = sign;
      const button = (key) => this.button(message, key);
      this.box.replaceChildren(...(rows ?? []).map((row) => element("div", { class: "row" }, ...row.map(button))));
      this.box.classList.toggle("tall", Boolean(rows) && !markup.resize_keyboard);
      this.box.hidden = !rows;
    }
    return rows ? markup.input_field_placeholder : undefined;
  }

  button(message, given) {
    const key = typeof given === "string" ? { text: given } : given;
    const asks = Object.keys(ASKS).find((name) => key[name]);
    const made = element("button", { type: "button", class: "reply", title: asks ? ASKS[asks].hint : undefined }, asks ? icon(ASKS[asks].icon) : null, key.text);
    made.addEventListener("click", () => {
      this.used.add(message.message_id);
      if (message.reply_markup.one_time_keyboard) {
        this.sign = "";
        this.box.hidden = true;
        this.box.replaceChildren();
      }
      this.onPress(message, key, asks);
    });
    return made;
  }
}
