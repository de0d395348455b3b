// Where a person writes: text, replies, edits, commands, files, inline queries.

import { Attachments } from "./attachments.js";
import { element, icon, iconButton } from "./dom.js";
import { fullName, sender, summary } from "./format.js";
import { Suggestions } from "./suggest.js";

const INLINE_PAUSE = 350;
const COMMAND = /^\/(\w*)$/;
const INLINE = /^@(\w{3,32})\s([\s\S]*)$/;

export class Composer {
  constructor(column) {
    this.column = column;
    this.replyTo = null;
    this.editing = null;
    this.commands = [];
    this.build((name) => column.id(name));
    this.tray = new Attachments(this.trayBox, () => this.changed());
    this.suggestions = new Suggestions(this.list, this.field);
    this.listen();
  }

  build(id) {
    this.list = element("ul", { class: "suggest", id: id("suggest"), role: "listbox", hidden: true });
    this.trayBox = element("div", { class: "tray", hidden: true });
    this.strip = element("div", { class: "strip", hidden: true });
    this.picker = element("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to attach" });
    this.attach = iconButton("attach", "Attach files", () => this.picker.click());
    this.menu = element("button", { type: "button", class: "menubutton", "aria-label": "Commands", title: "Commands", hidden: true }, "/");
    const attributes = { id: id("message"), rows: 1, maxlength: "4096", placeholder: "Message", autocomplete: "off", enterkeyhint: "send", "aria-label": "Message", "aria-autocomplete": "list", "aria-controls": id("suggest") };
    this.field = element("textarea", attributes);
    this.send = element("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send" }, icon("send"));
    this.form = element("form", { class: "composer" }, this.list, this.menu, this.attach, this.picker, this.field, this.send);
    this.node = element("div", { class: "writing" }, this.strip, this.trayBox, this.form);
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("paste", (event) => this.take(event, event.clipboardData.files));
    this.field.addEventListener("blur", () => setTimeout(() => !this.node.contains(document.activeElement) && this.suggestions.close(), 100));
    this.picker.addEventListener("change", () => {
      this.tray.add(this.picker.files);
      this.picker.value = "";
      this.field.focus();
    });
    this.menu.addEventListener("click", () => this.toggleMenu());
  }

  take(event, files) {
    if (!files.length) return;
    event.preventDefault();
    this.tray.add(files);
  }

  toggleMenu() {
    const button = this.menuButton;
    if (button?.type === "web_app") this.column.acts.openApp(button.text, button.web_app.url);
    else if (this.suggestions.open) this.suggestions.close();
    else {
      this.offer(this.commands);
      this.field.focus();
    }
  }

  commandOption({ command, description, to }) {
    return { title: `/${command}`, text: description, pick: () => this.give(`/${command}${to ? `@${to}` : ""}`) };
  }

  // None is marked until an arrow key was used: Enter sends what stands in the field.
  offer(commands) {
    this.suggestions.show("Commands", commands.map((command) => this.commandOption(command)), { active: -1 });
  }

  // Sends a text as if it was typed, and leaves what is being typed alone.
  async give(text) {
    if (COMMAND.test(this.field.value)) this.put("");
    await this.column.say(text);
    this.field.focus();
  }

  setCommands(commands, menuButton) {
    this.commands = commands;
    this.menuButton = menuButton;
    const app = menuButton?.type === "web_app";
    this.menu.hidden = !app && commands.length === 0;
    this.menu.textContent = app ? menuButton.text : "/";
    this.menu.classList.toggle("wide", app);
    this.menu.setAttribute("aria-label", app ? menuButton.text : "Commands");
  }

  put(text) {
    this.field.value = text;
    this.changed();
  }

  restore(text) {
    this.field.value = text;
    this.grow();
  }

  changed() {
    this.grow();
    const { value } = this.field;
    if (!this.editing) this.column.keepDraft(value);
    const typed = COMMAND.exec(value);
    const query = INLINE.exec(value);
    clearTimeout(this.waiting);
    if (typed && this.commands.length) {
      const fitting = this.commands.filter(({ command }) => command.startsWith(typed[1].toLowerCase()));
      this.offer(fitting);
    } else if (query && this.column.inlineBot(query[1])) {
      this.waiting = setTimeout(() => this.inline(value, query), INLINE_PAUSE);
    } else this.suggestions.close();
  }

  async inline(value, [, username, text]) {
    const options = await this.column.acts.inline(username, text);
    if (this.field.value !== value || !options) return;
    const picked = options.map((option) => ({ ...option, pick: () => this.put("") ?? option.pick() }));
    this.suggestions.show(`Results of @${username}`, picked);
  }

  grow() {
    if (CSS.supports("field-sizing", "content") || !this.field.isConnected) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  key(event) {
    if (event.isComposing) return;
    if (this.suggestions.key(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && !this.strip.hidden) {
      event.preventDefault();
      this.cancel();
    } else if (event.key === "ArrowUp" && !this.field.value) {
      const last = this.column.lastOwn();
      if (last) {
        event.preventDefault();
        this.edit(last);
      }
    }
  }

  async submit() {
    const text = this.field.value;
    if (!text.trim() && this.tray.files.length === 0) return;
    const { editing, replyTo } = this;
    if (editing) {
      if (await this.column.acts.edit(editing, text)) this.cancel();
      return;
    }
    // Taken out before they are on their way, so that a second Enter has nothing to send.
    const taken = this.tray.take();
    const files = taken.map(({ file }) => ({ file, kind: this.tray.kindOf(file) }));
    this.put("");
    this.field.focus();
    const done = files.length ? await this.column.acts.sendFiles(files, text, replyTo) : await this.column.say(text, replyTo);
    if (done) {
      this.tray.forget(taken);
      if (this.replyTo === replyTo) this.cancel();
      return;
    }
    // What could not be sent comes back, unless something else was typed meanwhile.
    this.tray.putBack(taken);
    if (!this.field.value) this.put(text);
  }

  reply(message, { focus = true } = {}) {
    this.editing = null;
    this.replyTo = message;
    this.showStrip(message ? "reply" : "", message && `Reply to ${fullName(sender(message))}`, message);
    if (focus) this.field.focus();
  }

  edit(message) {
    this.cancel();
    this.editing = message;
    this.restore(message.text ?? message.caption ?? "");
    this.showStrip("edit", "Edit message", message);
    this.field.focus();
  }

  cancel() {
    if (this.editing) this.restore("");
    this.editing = null;
    this.replyTo = null;
    this.showStrip("");
  }

  showStrip(name, title, message) {
    this.strip.hidden = !name;
    if (!name) return;
    const texts = element("span", { class: "lines" }, element("strong", {}, title), element("small", {}, summary(message)));
    const label = name === "edit" ? "Stop editing" : "Do not reply";
    this.strip.replaceChildren(icon(name), texts, iconButton("close", label, () => this.cancel() ?? this.field.focus()));
  }

  placeholder(text) {
    this.field.placeholder = text || "Message";
  }
}
