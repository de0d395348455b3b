// Times, sizes, names and one-line summaries in words.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const at = (seconds) => new Date(seconds * 1000);
export const time = (seconds) => clock.format(at(seconds));
export const exactTime = (seconds) => exact.format(at(seconds));
export const day = (seconds) => calendar.format(at(seconds));

export function shortTime(seconds) {
  const today = day(Date.now() / 1000) === day(seconds);
  return today ? time(seconds) : short.format(at(seconds));
}

export function size(bytes) {
  if (!bytes && bytes !== 0) return "";
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function duration(seconds = 0) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function span(seconds) {
  if (seconds < 0.001) return "under 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export function money(amount, currency) {
  if (currency === "XTR") return `${amount} ⭐`;
  try {
    const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${amount} ${currency}`;
  }
}

// Somebody without a name has deleted their account.
export const fullName = (card) =>
  card ? [card.first_name ?? card.title, card.last_name].filter(Boolean).join(" ") || "Deleted account" : "Unknown";

export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

export const sender = (message) => message.sender_chat ?? message.from ?? message.chat;

const KINDS = {
  sticker: ({ emoji }) => `${emoji ?? ""} Sticker`.trim(),
  animation: () => "GIF",
  photo: () => "Photo",
  video: () => "Video",
  video_note: () => "Video message",
  voice: () => "Voice message",
  audio: ({ title, file_name: name }) => title || name || "Audio",
  document: ({ file_name: name }) => name || "File",
  dice: ({ emoji, value }) => `${emoji} ${value}`,
  game: ({ title }) => `Game: ${title}`,
  venue: ({ title }) => `Venue: ${title}`,
  location: () => "Location",
  contact: ({ first_name: name }) => `Contact: ${name}`,
  poll: ({ question }) => `Poll: ${question}`,
  invoice: ({ title }) => `Invoice: ${title}`,
  paid_media: () => "Paid media",
  story: () => "Story",
  checklist: ({ title }) => `Checklist: ${title}`,
};

export function kindOf(message) {
  return Object.keys(KINDS).find((kind) => message[kind] !== undefined);
}

// One line that stands for a message in lists and quotes.
export function summary(message) {
  const text = message.text ?? message.caption;
  const kind = kindOf(message);
  if (!kind) return text ?? "";
  const name = KINDS[kind](message[kind]);
  return text ? `${name}, ${text}` : name;
}
