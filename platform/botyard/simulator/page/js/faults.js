// The fault bar: what goes wrong, for whom, and what is in force.

import { get, post } from "./api.js";
import { button, element, icon } from "./dom.js";
import { span } from "./format.js";
import { attempt, toast } from "./toast.js";

const KINDS = [
  ["429", "Too many requests", "Calls are refused with 429 and these seconds to wait"],
  ["500", "Outage", "Calls are answered with 500"],
  ["slow", "Slow", "Every call waits these seconds"],
  ["cut", "Cut", "Connections break before the answer"],
];

export class FaultBar {
  constructor(box, app) {
    this.box = box;
    this.app = app;
    this.inForce = [];
    this.scope = element("select", { "aria-label": "Faults for" });
    for (const [value, text] of [["chat", "This chat"], ["bot", "This bot"], ["all", "Everything"]]) this.scope.append(element("option", { value }, text));
    this.seconds = element("input", { type: "number", min: "1", max: "3600", value: "5", "aria-label": "Seconds" });
    this.shown = element("ul", { class: "inforce", "aria-label": "In force" });
    const buttons = KINDS.map(([kind, text, hint]) => button(text, () => this.order(kind), { class: "quiet strong", title: hint }));
    this.off = button("All off", () => this.end(), { class: "quiet danger", hidden: true });
    this.block = button("Block the bot", () => app.active?.acts.block(true), { class: "quiet strong", title: "The person blocks the bot" });
    this.migrate = button("Make it a supergroup", () => app.active?.acts.migrate(), { class: "quiet strong", title: "The group moves to a new id" });
    const person = [this.block, this.migrate];
    const seconds = element("label", { class: "seconds" }, this.seconds, " s");
    this.clock = element("span", { class: "clockbox" });
    box.append(element("div", { class: "faultrow" }, element("span", { class: "faulthead" }, icon("bolt"), "Faults"), this.scope, seconds, ...buttons), element("div", { class: "faultrow" }, ...person), this.clock, element("div", { class: "faultrow" }, this.shown, this.off));
    this.buildClock();
    app.session.addEventListener("rest", () => this.refresh());
    app.session.addEventListener("chats", () => this.inForce.length && this.refresh());
  }

  buildClock() {
    const jump = async (seconds, words) => {
      const done = await attempt(() => post("/sim/clock", seconds === null ? { reset: true } : { advance: seconds }));
      if (done) toast(words);
      await this.refresh();
    };
    const steps = [["+1 min", 60, "The clock is a minute further."], ["+1 h", 3600, "The clock is an hour further."], ["+1 day", 86400, "The clock is a day further."], ["Real time", null, "The clock is the machine's."]];
    this.ahead = element("span", {}, "Clock");
    this.clock.append(icon("clock"), this.ahead, ...steps.map(([text, seconds, words]) => button(text, () => jump(seconds, words))));
  }

  toggle() {
    this.box.hidden = !this.box.hidden;
    this.app.list.bolt.setAttribute("aria-expanded", String(!this.box.hidden));
    if (!this.box.hidden) {
      this.refresh();
      this.scope.focus();
    }
  }

  // What can happen to the chat that is looked at.
  suit(column) {
    this.block.hidden = !column?.isPrivate;
    this.migrate.hidden = !column || column.isPrivate || column.view?.chat?.type !== "group";
  }

  async order(kind) {
    const column = this.app.active;
    const seconds = Number(this.seconds.value) || 1;
    const order = { fault: kind };
    if (this.scope.value !== "all") {
      if (!column) {
        toast("Open a chat first, or choose everything.", "bad");
        return;
      }
      order.bot_id = column.botId;
      if (this.scope.value === "chat") order.chat_id = column.chatId;
    }
    if (kind === "429") order.retry_after = seconds;
    if (kind === "slow") order.seconds = seconds;
    await attempt(() => post("/sim/faults", order));
    await this.refresh();
  }

  async end() {
    await attempt(() => post("/sim/faults", { fault: "off" }));
    await this.refresh();
  }

  describe(fault) {
    const name = KINDS.find(([kind]) => kind === fault.kind)?.[1] ?? fault.kind;
    const detail = fault.kind === "429" ? `, retry after ${fault.retry_after} s` : fault.kind === "slow" ? `, ${fault.seconds} s` : "";
    const bot = this.app.session.bot(fault.bot_id)?.name ?? `bot ${fault.bot_id}`;
    const where = fault.chat_id ? `chat ${fault.chat_id}` : fault.bot_id ? bot : "everything";
    return `${name}${detail}: ${where}`;
  }

  async refresh() {
    try {
      this.inForce = (await get("/sim/faults")).faults;
      const { offset } = await get("/sim/clock");
      this.ahead.textContent = Math.abs(offset) < 1 ? "Clock" : `Clock, ${offset > 0 ? "ahead" : "behind"} by ${span(Math.abs(offset))}`;
    } catch {
      return; // the banner says that the simulator is away
    }
    this.shown.replaceChildren(...this.inForce.map((fault) => element("li", {}, this.describe(fault))));
    this.shown.hidden = this.inForce.length === 0;
    this.off.hidden = this.inForce.length === 0;
    const { bolt } = this.app.list;
    bolt.classList.toggle("alarm", this.inForce.length > 0);
    bolt.setAttribute("aria-label", this.inForce.length ? `Faults, ${this.inForce.length} in force` : "Faults");
  }
}
