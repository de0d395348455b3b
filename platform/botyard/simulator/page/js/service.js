// Service messages: what happened in a chat, in one sentence.

import { fullName, money, sender, summary } from "./format.js";

const names = (cards) => cards.map(fullName).join(", ");

const SENTENCES = {
  new_chat_members: (cards, who, message) =>
    cards.length === 1 && cards[0].id === message.from?.id ? `${who} joined` : `${who} added ${names(cards)}`,
  left_chat_member: (card, who, message) =>
    card.id === message.from?.id ? `${who} left` : `${who} removed ${fullName(card)}`,
  new_chat_title: (title, who) => `${who} renamed the chat to “${title}”`,
  new_chat_photo: (_, who) => `${who} changed the chat's photo`,
  delete_chat_photo: (_, who) => `${who} removed the chat's photo`,
  group_chat_created: (_, who) => `${who} created the group`,
  supergroup_chat_created: () => "The supergroup was created",
  channel_chat_created: () => "The channel was created",
  migrate_to_chat_id: (id) => `The group became a supergroup, ${id}`,
  migrate_from_chat_id: (id) => `This supergroup was the group ${id}`,
  pinned_message: (pinned, who) => `${who} pinned “${cut(summary(pinned)) || "a message"}”`,
  successful_payment: (paid) => `Paid ${money(paid.total_amount, paid.currency)}`,
  refunded_payment: (paid) => `Refunded ${money(paid.total_amount, paid.currency)}`,
  users_shared: (shared, who) => `${who} shared ${(shared.users ?? []).map(({ user_id: id }) => id).join(", ")}`,
  chat_shared: (shared, who) => `${who} shared the chat ${shared.title ?? shared.chat_id}`,
  write_access_allowed: () => "The bot may write to you",
  web_app_data: (data, who) => `${who} sent data of “${data.button_text}”: ${cut(data.data)}`,
  message_auto_delete_timer_changed: (timer) => `Messages are deleted after ${timer.message_auto_delete_time} s`,
  chat_background_set: (_, who) => `${who} changed the background`,
  boost_added: (_, who) => `${who} boosted the chat`,
  forum_topic_created: (topic, who) => `${who} opened the topic “${topic.name}”`,
  forum_topic_edited: (topic, who) => `${who} changed the topic ${topic.name ? `to “${topic.name}”` : ""}`,
  forum_topic_closed: (_, who) => `${who} closed the topic`,
  forum_topic_reopened: (_, who) => `${who} reopened the topic`,
  video_chat_started: () => "A video chat began",
  video_chat_ended: () => "The video chat ended",
  connected_website: (site) => `You allowed ${site} to write to you`,
  proximity_alert_triggered: (alert) => `${fullName(alert.traveler)} is ${alert.distance} m away`,
};

const cut = (text) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

// The sentence of a service message; nothing for one that shows content.
export function service(message) {
  const kind = Object.keys(SENTENCES).find((name) => message[name] !== undefined);
  return kind && SENTENCES[kind](message[kind], fullName(sender(message)), message);
}
