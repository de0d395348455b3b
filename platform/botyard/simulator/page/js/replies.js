// Dialogues behind buttons: a place, a Mini App's address, a poll, a payment.

import { copy } from "./details.js";
import { button, element } from "./dom.js";
import { dialogue, field } from "./toast.js";

export async function location() {
  const input = (name, value) => element("input", { name, type: "number", step: "any", required: true, value });
  const latitude = input("latitude", "52.52");
  const longitude = input("longitude", "13.405");
  const { closed } = dialogue("Send a location", [field("Latitude", latitude), field("Longitude", longitude)], { label: "Send" });
  if ((await closed) !== "ok") return null;
  return { latitude: Number(latitude.value), longitude: Number(longitude.value) };
}

// Mini Apps are not run here. From a reply keyboard, data can be sent in the app's place.
export async function openApp(text, url, sends = false) {
  const address = element("code", { class: "address" }, url);
  const parts = [element("p", { class: "say" }, "Mini Apps do not run in the simulator. This is the address that Telegram would open:"), address, button("Copy the address", () => copy(url))];
  const data = element("textarea", { rows: 3, maxlength: "4096" });
  if (sends) parts.push(field("Data that the app sends back", data));
  const { closed } = dialogue(text, parts, { label: sends ? "Send the data" : "Close" });
  return (await closed) === "ok" && sends ? data.value : "";
}
