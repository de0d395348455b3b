// Questions that a bot must answer: inline queries and payments.

import { get } from "./api.js";
import { element } from "./dom.js";
import { money } from "./format.js";
import { dialogue, field } from "./toast.js";

const LONGEST = 12000;
const BETWEEN = 200;

// Waits for a bot's answer; returns the query as it is then, answered or not.
export async function answered(queryId) {
  const ends = Date.now() + LONGEST;
  for (;;) {
    const found = await get("/sim/query", { query_id: queryId });
    if (found.state !== "waiting" || Date.now() > ends) return found;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
}

export async function agree(invoice, price) {
  const parts = [
    element("p", { class: "say" }, invoice.description ?? ""),
    element("p", { class: "price" }, price),
    element("p", { class: "said" }, "The test provider takes no money. Name, address and e-mail are made up."),
  ];
  const { closed } = dialogue(`Pay for ${invoice.title}`, parts, { label: `Pay ${price}` });
  return (await closed) === "ok";
}

export async function chooseShipping(options, currency) {
  const cost = (option) => money(option.prices.reduce((sum, { amount }) => sum + amount, 0), currency);
  const select = element("select", {}, ...options.map((option) => element("option", { value: option.id }, `${option.title}, ${cost(option)}`)));
  const { closed } = dialogue("Delivery", field("Way of delivery", select), { label: "Continue" });
  return (await closed) === "ok" ? select.value : "";
}

// What an invoice may ask a person for.
export const madeUp = (name) => ({
  name,
  phone_number: "+15550100",
  email: "person@example.com",
  shipping_address: { country_code: "DE", state: "", city: "Berlin", street_line1: "Street 1", street_line2: "", post_code: "10115" },
});
