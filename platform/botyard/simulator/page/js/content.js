// What a message shows beside its text: pictures, players, files, cards.

import { element, icon, lasting, link } from "./dom.js";
import { duration, fullName, kindOf, money, size } from "./format.js";
import { poll } from "./poll.js";

const fileUrl = (file) => `/sim/file/${encodeURIComponent(file.file_unique_id)}`;

// The address can be fetched again and again: it names bytes that never change.
function picture(file, label) {
  const width = Number(file.width) || undefined;
  const height = Number(file.height) || undefined;
  return element("img", { src: fileUrl(file), alt: label, loading: "lazy", decoding: "async", width, height });
}

function broken(media, words) {
  media.addEventListener("error", () => {
    media.replaceWith(element("span", { class: "nomedia" }, icon("file"), words));
  });
  return media;
}

function photo(sizes, message, { onOpen }) {
  const best = sizes.reduce((one, other) => (other.width * other.height > one.width * one.height ? other : one));
  const label = message.caption ? `Photo: ${message.caption}` : "Photo";
  const image = broken(picture(best, label), "The picture cannot be shown");
  const covered = message.has_media_spoiler ? " covered" : "";
  const made = element("button", { type: "button", class: `photo${covered}`, "aria-label": `${label}, open` }, image);
  made.addEventListener("click", () => {
    if (made.classList.contains("covered")) made.classList.remove("covered");
    else onOpen(fileUrl(best), label);
  });
  return lasting(made, best, label, covered);
}

function player(kind, file, label, extra = {}) {
  const made = element(kind, { src: fileUrl(file), controls: true, preload: "metadata", "aria-label": label, ...extra });
  return lasting(broken(made, `${label}: cannot be played here`), file.file_unique_id, label);
}

function moving(name) {
  return (file) => {
    const extra = name === "Animation" ? { loop: true, muted: true } : {};
    return element("div", { class: `film ${name === "Video message" ? "round" : ""}` }, player("video", file, name, extra));
  };
}

function sound(file, title, subtitle) {
  const head = element("div", { class: "soundhead" }, icon("voice"), element("span", { class: "lines" }, element("strong", {}, title), element("small", {}, subtitle)));
  return element("div", { class: "sound" }, head, player("audio", file, title));
}

function document_(file) {
  const name = file.file_name ?? "File";
  const lines = element("span", { class: "lines" }, element("strong", {}, name), element("small", {}, [size(file.file_size), file.mime_type].filter(Boolean).join(" · ")));
  const attributes = { class: "document", href: fileUrl(file), download: name, "aria-label": `Download ${name}` };
  return element("a", attributes, element("span", { class: "badge" }, icon("download")), lines);
}

function card(name, title, lines, action) {
  const texts = element("span", { class: "lines" }, element("strong", {}, title), ...lines.map((line) => element("small", {}, line)));
  return element("div", { class: "card" }, element("span", { class: "badge" }, icon(name)), texts, action ?? null);
}

const map = ({ latitude, longitude }) =>
  link(`https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=15/${latitude}/${longitude}`, "Map ↗", { class: "linkish" });
const spot = ({ latitude, longitude }) => `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;

function sticker(file) {
  if (file.is_animated || file.is_video) return element("span", { class: "huge", role: "img", "aria-label": `Sticker ${file.emoji ?? ""}` }, file.emoji ?? "🙂");
  const image = picture(file, `Sticker ${file.emoji ?? ""}`);
  image.className = "sticker";
  image.addEventListener("error", () => image.replaceWith(element("span", { class: "huge" }, file.emoji ?? "🙂")));
  return image;
}

function dice({ emoji, value }) {
  const label = `${emoji} shows ${value}`;
  return element("span", { class: "dice", role: "img", "aria-label": label }, element("span", { class: "huge" }, emoji), element("span", { class: "value" }, String(value)));
}

function invoice(bill) {
  const lines = [bill.description, money(bill.total_amount, bill.currency)].filter(Boolean);
  return card("receipt", bill.title, lines);
}

const RENDERERS = {
  animation: moving("Animation"),
  photo,
  video: moving("Video"),
  video_note: moving("Video message"),
  voice: (file) => sound(file, "Voice message", duration(file.duration)),
  audio: (file) => sound(file, file.title || file.file_name || "Audio", [file.performer, duration(file.duration)].filter(Boolean).join(" · ")),
  document: document_,
  sticker,
  dice,
  venue: (place) => card("place", place.title, [place.address, spot(place.location)], map(place.location)),
  location: (place) => card("place", place.live_period ? "Live location" : "Location", [spot(place)], map(place)),
  contact: (person) => card("user", fullName(person), [person.phone_number]),
  game: (game) => card("bolt", game.title, [game.description]),
  invoice,
  poll: (asked, message, tools) => poll(asked, message, tools),
};

// The node for a message's content; nothing for a plain text. `tools` are onOpen and onVote.
export function content(message, tools) {
  const kind = kindOf(message);
  if (!kind) return null;
  const render = RENDERERS[kind];
  if (!render) return element("div", { class: "card" }, element("span", { class: "lines" }, `Not shown here: ${kind.replaceAll("_", " ")}`));
  return render(message[kind], message, tools);
}

export const isVisual = (message) => Boolean(message.photo || message.video || message.animation);
