// The page: which bot, whose conversation, what is typed.

import { Person, Refused, get } from "./api.js";
import { Chat } from "./chat.js";
import { element } from "./text.js";

const BOTS_EVERY = 3000;
const RETRY_AFTER = 1000;
const TOAST_FOR = 3500;

const byId = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const color = (id) => `c${id % 7}`;

const person = new Person();
const chat = new Chat({ onText: say, onPress: press });
const state = { bots: [], bot: null, watching: null, replyTo: 0 };

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error instanceof Refused ? error.message : "The simulator does not answer.");
    return null;
  }
}

async function say(text) {
  if (!state.bot || !text.trim()) return false;
  const order = { bot_id: state.bot.id, text };
  if (state.replyTo) order.reply_to = state.replyTo;
  reply(null);
  return Boolean(await attempt(() => person.act("/sim/send", order)));
}

async function press(message, data) {
  const order = { bot_id: state.bot.id, chat_id: message.chat.id, message_id: message.message_id, data };
  const pressed = await attempt(() => person.act("/sim/press", order));
  return pressed?.callback_query_id;
}

async function block(blocked) {
  await attempt(() => person.act("/sim/block", { bot_id: state.bot.id, blocked }));
}

function toast(text) {
  const box = byId("toast");
  clearTimeout(toast.timer);
  box.textContent = text;
  box.classList.add("seen");
  toast.timer = setTimeout(() => box.classList.remove("seen"), TOAST_FOR);
}

function answer({ callback_query_id: query, text, show_alert: alert, url }) {
  if (!chat.answered(query)) return;
  if (text && alert) {
    byId("alerttext").textContent = text;
    byId("alert").showModal();
  } else if (text || url) toast(text || url);
}

function reply(message) {
  state.replyTo = message?.message_id ?? 0;
  byId("replying").hidden = !message;
  byId("replytext").textContent = message ? `Reply to: ${message.text ?? ""}` : "";
}

function show(view) {
  const before = chat.last;
  chat.show(view, person.id);
  view.answers.forEach(answer);
  const newest = view.messages.at(-1);
  if (newest?.message_id > before) reply(newest.reply_markup?.force_reply ? newest : null);
  byId("empty").hidden = view.messages.length > 0;
  byId("start").hidden = view.blocked;
  byId("composer").hidden = view.blocked;
  byId("keyboard").hidden ||= view.blocked;
  byId("unblock").hidden = !view.blocked;
  byId("block").textContent = view.blocked ? "Blocked" : "Block";
  byId("block").disabled = view.blocked;
}

// Follows one chat until another is chosen: each answer is the whole view as soon as it differs.
async function watch(bot) {
  state.watching?.abort();
  const { signal } = (state.watching = new AbortController());
  let after = -1;
  while (!signal.aborted) {
    try {
      const query = { bot_id: bot.id, chat_id: person.id, after, wait: 25 };
      const view = await get("/sim/view", query, signal);
      byId("notice").hidden = true;
      if (view.version < after) chat.clear();
      after = view.version;
      show(view);
    } catch {
      if (signal.aborted) return;
      byId("notice").textContent = "The simulator does not answer. Trying again…";
      byId("notice").hidden = false;
      await sleep(RETRY_AFTER);
    }
  }
}

function choose(bot) {
  state.bot = bot;
  chat.clear();
  reply(null);
  byId("title").textContent = bot.name;
  byId("avatar").textContent = bot.name.slice(0, 1).toUpperCase();
  byId("avatar").className = `avatar ${color(bot.id)}`;
  byId("subtitle").textContent = `@${bot.username}`;
  byId("emptytext").textContent = `This is the beginning of your chat with ${bot.name}.`;
  document.title = `${bot.name} · Botyard simulator`;
  for (const id of ["block", "start"]) byId(id).hidden = false;
  for (const id of ["message", "send"]) byId(id).disabled = false;
  listBots();
  listCommands();
  byId("message").focus();
  watch(bot);
}

function listBots() {
  const items = state.bots.map((bot) => {
    const avatar = element("span", { class: `avatar ${color(bot.id)}`, "aria-hidden": "true" }, bot.name.slice(0, 1).toUpperCase());
    const names = element("span", { class: "names" }, element("strong", {}, bot.name), element("span", {}, `@${bot.username}`));
    const current = String(bot.id === state.bot?.id);
    const button = { type: "button", "data-bot-id": String(bot.id), "aria-current": current, onclick: () => choose(bot) };
    return element("li", {}, element("button", button, avatar, names));
  });
  byId("bots").replaceChildren(...items);
  document.body.classList.toggle("single", state.bots.length < 2);
}

function listCommands() {
  const commands = state.bot?.commands ?? [];
  byId("menu").hidden = commands.length === 0;
  const items = commands.map(({ command, description }) => {
    const send = () => {
      openMenu(false);
      say(`/${command}`);
    };
    const texts = [element("strong", {}, `/${command}`), element("span", {}, description)];
    return element("li", {}, element("button", { type: "button", onclick: send }, ...texts));
  });
  byId("commands").replaceChildren(...items);
  if (commands.length === 0) openMenu(false);
}

function openMenu(open) {
  byId("commands").hidden = !open;
  byId("menu").setAttribute("aria-expanded", String(open));
}

async function refreshBots() {
  const { bots } = await get("/sim/bots");
  const sign = JSON.stringify(bots.map(({ id, name, username, commands }) => [id, name, username, commands]));
  if (sign === state.sign) return;
  state.sign = sign;
  state.bots = bots;
  const same = bots.find((bot) => bot.id === state.bot?.id);
  if (same) {
    state.bot = same;
    listBots();
    listCommands();
  } else if (bots.length > 0) choose(bots[0]);
}

function grow() {
  const field = byId("message");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

async function submit() {
  const field = byId("message");
  const text = field.value;
  if (!text.trim()) return;
  field.value = "";
  grow();
  field.focus();
  // What could not be sent comes back, unless something else was typed meanwhile.
  if (!(await say(text)) && !field.value) field.value = text;
}

function listen() {
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("message").addEventListener("input", grow);
  byId("message").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  byId("menu").addEventListener("click", () => openMenu(byId("commands").hidden));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") openMenu(false);
  });
  byId("start").addEventListener("click", () => say("/start"));
  byId("block").addEventListener("click", () => block(true));
  byId("unblock").addEventListener("click", () => block(false));
  byId("noreply").addEventListener("click", () => reply(null));
  byId("who").addEventListener("submit", (event) => event.preventDefault());
  byId("name").addEventListener("change", ({ target }) => {
    const name = target.value.trim() || "Alex";
    target.value = name;
    attempt(() => person.rename(name));
  });
}

async function begin() {
  listen();
  byId("name").value = person.name;
  for (;;) {
    try {
      if (!state.introduced) {
        await person.introduce();
        state.introduced = true;
      }
      await refreshBots();
    } catch {
      state.introduced = false;
    }
    await sleep(BOTS_EVERY);
  }
}

begin();
