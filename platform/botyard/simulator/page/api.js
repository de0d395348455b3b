// Talking to the control API, and who the person is.

const PERSON = "botyard-simulator-person";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function read(response) {
  const body = await response.json();
  if (!response.ok) throw new Refused(response.status, body.error);
  return body;
}

export async function get(path, query = {}, signal = undefined) {
  const search = new URLSearchParams(query).toString();
  return read(await fetch(search ? `${path}?${search}` : path, { signal, cache: "no-store" }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(PERSON)) ?? {};
  } catch {
    return {};
  }
}

// The person behind this browser. A world that was started afresh gets the same person again.
export class Person {
  constructor() {
    const { id, name } = remembered();
    this.id = id ?? 0;
    this.name = name ?? "Alex";
  }

  async introduce() {
    const card = await post("/sim/people", {
      id: this.id || undefined,
      first_name: this.name,
      language_code: navigator.language.split("-")[0],
    });
    this.id = card.id;
    localStorage.setItem(PERSON, JSON.stringify({ id: this.id, name: this.name }));
  }

  async rename(name) {
    this.name = name;
    await this.introduce();
  }

  async act(path, body) {
    const order = { ...body, person_id: this.id };
    try {
      return await post(path, order);
    } catch (error) {
      if (error.status !== 404 || !error.message.includes("person")) throw error;
      await this.introduce();
      return post(path, order);
    }
  }
}
