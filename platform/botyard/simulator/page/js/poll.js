// Polls and quizzes: voting and results.

import { element, lasting } from "./dom.js";
import { count } from "./format.js";

let number = 0;

function kindOf(asked) {
  const words = asked.type === "quiz" ? "Quiz" : "Poll";
  const who = asked.is_anonymous === false ? "" : "Anonymous ";
  return `${who}${who ? words.toLowerCase() : words}${asked.is_closed ? ", closed" : ""}`;
}

function result(asked, option, index, chosen) {
  const share = asked.total_voter_count ? option.voter_count / asked.total_voter_count : 0;
  const right = asked.correct_option_id === index || asked.correct_option_ids?.includes(index);
  const mine = chosen?.includes(index);
  const marks = [mine && "your vote", right && "right"].filter(Boolean).join(", ");
  const label = element("span", { class: "answer" }, element("span", {}, option.text), element("span", { class: "share" }, `${Math.round(share * 100)} %`));
  const bar = element("progress", { max: "1", value: String(share), "aria-label": `${option.text}: ${count(option.voter_count, "vote")}` });
  return element("li", { class: right ? "right" : "" }, label, bar, marks ? element("small", {}, marks) : null);
}

function choice(option, index, type, name) {
  const input = element("input", { type, name, value: String(index) });
  return element("label", { class: "choice" }, input, element("span", {}, option.text));
}

function ballot(asked, message, onVote) {
  number += 1;
  const type = asked.allows_multiple_answers ? "checkbox" : "radio";
  const options = asked.options.map((option, index) => choice(option, index, type, `poll${number}`));
  const vote = element("button", { type: "submit", class: "quiet strong", disabled: true }, "Vote");
  const form = element("form", { class: "ballot" }, ...options, vote);
  const picked = () => [...form.querySelectorAll("input:checked")].map((input) => Number(input.value));
  form.addEventListener("change", () => (vote.disabled = picked().length === 0));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onVote(message, picked());
  });
  return lasting(form, asked.id, asked.options.map(({ text }) => text), type);
}

export function poll(asked, message, { onVote }) {
  const { chosen } = message;
  const head = [element("strong", {}, asked.question), element("small", {}, kindOf(asked))];
  const body = asked.is_closed || chosen?.length
    ? element("ul", { class: "results" }, ...asked.options.map((option, index) => result(asked, option, index, chosen)))
    : ballot(asked, message, onVote);
  const foot = element("div", { class: "pollfoot" }, element("small", {}, count(asked.total_voter_count, "vote")));
  if (chosen?.length && !asked.is_closed && asked.type !== "quiz") {
    foot.append(element("button", { type: "button", class: "linkish", onclick: () => onVote(message, []) }, "Take back"));
  }
  const why = chosen?.length && asked.explanation ? element("p", { class: "why" }, asked.explanation) : null;
  return element("div", { class: "poll" }, ...head, body, why, foot);
}
