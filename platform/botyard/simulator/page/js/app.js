// The page: which chats are open, beside each other or one by one.

import { Column } from "./column.js";
import { choosePerson, help, newGroup } from "./dialogues.js";
import { FaultBar } from "./faults.js";
import { ChatList } from "./list.js";
import { Memory } from "./memory.js";
import { Session, keyOf } from "./session.js";
import { Theme } from "./theme.js";

const MOST_COLUMNS = 3;
const WIDTH_OF_COLUMN = 380;
const byId = (id) => document.getElementById(id);

class App {
  constructor() {
    this.memory = new Memory();
    this.session = new Session(this.memory);
    this.theme = new Theme(this.memory);
    this.columns = [];
    this.active = null;
    this.list = new ChatList(byId("side"), this);
    this.theme.button = this.list.theme;
    this.theme.label();
    this.faults = new FaultBar(byId("faults"), this);
    this.session.addEventListener("directory", () => this.settle());
    this.session.addEventListener("chats", ({ detail }) => this.refresh(detail));
    this.session.addEventListener("away", ({ detail }) => this.away(detail));
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("visibilitychange", () => this.columns.forEach((column) => column.look()));
    addEventListener("resize", () => this.fit());
    this.session.follow();
  }

  // Opens what was open before, or the first bot, as soon as the chats are known.
  settle() {
    if (!this.settled && this.session.chats.length) {
      this.settled = true;
      const known = this.memory.open.filter(({ key, personId }) => this.session.chat(key) && this.session.people.some(({ id }) => id === personId));
      known.slice(0, this.room()).forEach((one) => this.append(one));
    }
    const first = this.list.sections()[0]?.[1][0];
    if (this.columns.length === 0 && first) this.append({ key: keyOf(first), personId: this.session.person.id });
    this.columns.forEach((column) => column.known());
  }

  room() {
    return Math.max(1, Math.min(MOST_COLUMNS, Math.floor(byId("main").clientWidth / WIDTH_OF_COLUMN)));
  }

  append({ key, personId }) {
    const used = new Set(this.columns.map(({ number }) => number));
    const number = [0, 1, 2].find((one) => !used.has(one));
    const column = new Column(this, { key, personId, number });
    this.columns.push(column);
    byId("columns").append(column.node);
    this.activate(column);
    this.remember();
    return column;
  }

  // Opens a chat in place of the active one, or beside it.
  open(key, { beside = false } = {}) {
    const personId = this.session.person.id;
    let column = this.columns.find((one) => one.key === key && (one.personId === personId || !one.isPrivate));
    if (!column && beside && this.columns.length < this.room()) column = this.append({ key, personId });
    else if (!column) column = this.replace(this.active, { key, personId });
    if (!column.isPrivate && column.personId !== personId) column.become(personId);
    this.activate(column);
    document.body.classList.add("chatting");
    column.look();
    column.composer.field.focus();
    return column;
  }

  replace(old, { key, personId }) {
    if (!old) return this.append({ key, personId });
    const column = new Column(this, { key, personId, number: old.number });
    this.columns[this.columns.indexOf(old)] = column;
    old.node.replaceWith(column.node);
    this.remember();
    return column;
  }

  close(column) {
    this.columns = this.columns.filter((one) => one !== column);
    column.leave();
    this.activate(this.columns.at(-1) ?? null);
    this.active?.composer.field.focus();
    this.remember();
  }

  activate(column) {
    const changed = this.active !== column;
    this.active = column;
    byId("columns").dataset.count = String(this.columns.length);
    for (const one of this.columns) one.node.classList.toggle("active", one === column);
    if (changed && column) document.title = `${column.title} · Botyard simulator`;
    if (changed) this.list.draw();
    this.faults?.suit(column);
  }

  remember() {
    this.memory.open = this.columns.map(({ key, personId }) => ({ key, personId }));
  }

  fit() {
    while (this.columns.length > this.room()) this.close(this.columns.find((one) => one !== this.active));
  }

  showList() {
    document.body.classList.remove("chatting");
    document.querySelector(".chats .open[aria-current]")?.focus();
  }

  refresh(keys) {
    for (const column of this.columns) if (keys === null || keys.includes(column.key)) column.refresh();
  }

  away(isAway) {
    byId("away").hidden = !isAway;
    if (isAway) byId("away").textContent = "The simulator does not answer. Trying again…";
  }

  migrated(column, chatId) {
    const { personId } = column;
    const made = this.replace(column, { key: `0:${chatId}`, personId });
    this.activate(made);
    this.session.load().catch(() => {});
  }

  // Each private chat belongs to its person, so another person gets their own.
  async become(personId) {
    await this.session.become(personId);
    const { active } = this;
    if (!active) return;
    if (!active.isPrivate) active.become(personId);
    else this.open(`${active.privateBot}:${personId}`);
  }

  choosePerson(anchor) {
    choosePerson(this.session, anchor, (id) => this.become(id));
  }

  async newGroup() {
    const id = await newGroup(this.session);
    if (!id) return;
    await this.session.load();
    this.open(`0:${id}`);
  }

  help() {
    help();
  }

  key(event) {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (event.key === "?" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.help();
    }
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (digit && event.altKey && !event.ctrlKey && !document.querySelector("dialog[open]")) {
      const chats = this.list.sections().flatMap(([, found]) => found);
      const chat = chats[Number(digit) - 1];
      if (chat) {
        event.preventDefault();
        this.open(keyOf(chat));
      }
    }
  }
}

new App();
