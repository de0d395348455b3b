// Who the person is, which bots, people and chats there are, and the one feed that tells what changed.

import { get, post } from "./api.js";
import { fullName } from "./format.js";

const RETRY_AFTER = 1000;
const BETWEEN_LOOKS = 120;
// Under load the page may take only a part of the simulator's time.
const SHARE = 0.2;
const WAIT = 25;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const keyOf = ({ bot_id: botId, chat_id: chatId }) => `${chatId > 0 ? botId : 0}:${chatId}`;

// Events: "directory" (bots, people, chats are new), "chats" (detail: the keys that changed, or null for
// all), "rest" (faults or settings may be new), "away" (detail: whether the simulator is out of reach).
export class Session extends EventTarget {
  constructor(memory) {
    super();
    this.memory = memory;
    this.person = null;
    this.people = [];
    this.peopleTotal = 0;
    this.bots = [];
    this.chats = [];
    this.loading = null;
    this.again = false;
  }

  // Makes the person that this browser remembers. Who is there already would lose what is not on the card.
  async introduce() {
    const known = this.person ?? this.memory.person;
    const fresh = known.id ? {} : { language_code: navigator.language.split("-")[0] };
    const card = { ...fresh, ...known, id: known.id || undefined, first_name: known.first_name || "Alex" };
    this.remember(await post("/sim/people", card));
  }

  remember(card) {
    this.person = card;
    this.memory.person = card;
  }

  async addPerson(fields) {
    const card = await post("/sim/people", fields);
    this.remember(card);
    await this.load();
    return card;
  }

  async become(personId) {
    const card = this.card(personId);
    if (!card) return;
    this.remember(card);
    await this.load();
  }

  card(personId) {
    return this.people.find((other) => other.id === personId);
  }

  named(personId) {
    const card = this.card(personId);
    return card?.deactivated ? fullName(card) : card?.first_name ?? `Person ${personId}`;
  }

  bot(botId) {
    return this.bots.find((bot) => bot.id === botId);
  }

  chat(key) {
    return this.chats.find((chat) => keyOf(chat) === key);
  }

  // Reads everything on the left. Wishes that come meanwhile are fulfilled by one more reading.
  load() {
    if (this.loading) {
      this.again = true;
      return this.loading;
    }
    this.loading = this.read().finally(() => {
      this.loading = null;
      if (this.again) {
        this.again = false;
        this.load().catch(() => {});
      }
    });
    return this.loading;
  }

  async read() {
    const wanted = this.person ?? this.memory.person;
    if (!wanted.id) await this.introduce();
    const ask = () => get("/sim/chats", { person_id: this.person?.id ?? wanted.id });
    const found = await ask().catch(async (error) => {
      if (error.status !== 404) throw error;
      await this.introduce();
      return ask();
    });
    if (this.person && found.person.id !== this.person.id) return this.read();
    Object.assign(this, { people: found.people, peopleTotal: found.people_total, bots: found.bots, chats: found.chats });
    // Another tab may be somebody else meanwhile, so only the first reading is remembered.
    if (this.person) this.person = found.person;
    else this.remember(found.person);
    this.dispatchEvent(new Event("directory"));
    return undefined;
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // Follows the feed for as long as the page is open.
  async follow() {
    let place = { epoch: "", after: -1, sign: 0 };
    for (;;) {
      try {
        const news = await get("/sim/events", { ...place, wait: place.epoch ? WAIT : 0 });
        const changed = news.reset ? null : news.chats.map(keyOf);
        const rest = news.sign !== place.sign;
        place = { epoch: news.epoch, after: news.place, sign: news.sign };
        const began = performance.now();
        await this.load();
        const took = performance.now() - began;
        if (changed === null || changed.length > 0) this.tell("chats", changed);
        if (rest) this.tell("rest");
        this.tell("away", false);
        await sleep(Math.max(BETWEEN_LOOKS, took / SHARE));
      } catch {
        this.tell("away", true);
        place.epoch = "";
        await sleep(RETRY_AFTER);
      }
    }
  }

  // Does something as a person. A world that was started afresh gets to know the person again.
  async act(personId, path, body) {
    const order = { ...body, person_id: personId };
    try {
      return await post(path, order);
    } catch (error) {
      if (error.status !== 404 || personId !== this.person?.id || !error.message.includes("no person")) throw error;
      await this.introduce();
      return post(path, order);
    }
  }
}
